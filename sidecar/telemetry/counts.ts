/** What the layers count, as metrics: slots are looked up once, so that counting on the hot path is one addition. */

import type { IdempotencyCounts } from "../idempotency/process-once.ts";
import type { AccessCounts } from "../policy/authorize.ts";
import type { RetryCounts } from "../policy/retry.ts";
import type { MirrorOutcome } from "../route/mirror.ts";
import type { SidecarMetrics } from "./metrics.ts";

export function countRetries(metrics: SidecarMetrics, service: string): RetryCounts {
  return {
    retried: (reason) => metrics.retries.increment(metrics.retries.slot({ service, reason })),
    notRetried: (reason) => metrics.retriesSkipped.increment(metrics.retriesSkipped.slot({ service, reason })),
  };
}

export function countLostCalls({ lostCalls }: SidecarMetrics, service: string): () => void {
  return () => lostCalls.increment(lostCalls.slot({ service }));
}

export function countAccess(metrics: SidecarMetrics): AccessCounts {
  const { accessRefused } = metrics;
  return {
    refused: (policy) => accessRefused.increment(accessRefused.slot({ policy, mode: "enforce" })),
    wouldRefuse: (policy) => accessRefused.increment(accessRefused.slot({ policy, mode: "audit" })),
  };
}

export function countIdempotency(metrics: SidecarMetrics): IdempotencyCounts {
  const { idempotencyRequests, idempotencyAnswers, idempotencyEvictions } = metrics;
  return {
    ended: (policy, outcome) => idempotencyRequests.increment(idempotencyRequests.slot({ policy, outcome })),
    answered: (policy, outcome) => idempotencyAnswers.increment(idempotencyAnswers.slot({ policy, outcome })),
    evicted: (what) => idempotencyEvictions.increment(idempotencyEvictions.slot({ what })),
  };
}

export function countSplit(metrics: SidecarMetrics, service: string): (route: string, backend: string) => void {
  const slots = new Map<string, Map<string, number>>();
  let epoch = 0;
  return (route, backend) => {
    if (epoch !== metrics.splitRequests.labelSets.epoch) {
      slots.clear();
      ({ epoch } = metrics.splitRequests.labelSets);
    }
    let ofRoute = slots.get(route);
    if (ofRoute === undefined) slots.set(route, (ofRoute = new Map<string, number>()));
    let slot = ofRoute.get(backend);
    if (slot === undefined) ofRoute.set(backend, (slot = metrics.splitRequests.slot({ service, route, backend })));
    metrics.splitRequests.increment(slot);
  };
}

export function countMirrors(
  metrics: SidecarMetrics,
  service: string,
): (backend: string, outcome: MirrorOutcome) => void {
  return (backend, outcome) => metrics.mirrors.increment(metrics.mirrors.slot({ service, backend, outcome }));
}
