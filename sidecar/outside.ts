/**
 * The way of a request from the application that has no destination of the mesh: past the mesh to the dialled address, or to
 * a refusal. No policy holds for it, and its trace context passes as it came; but what becomes of it is counted, shown and
 * logged as for any other, and what fails leaves a span.
 * This file composes; each layer's reasons are in its own.
 */

import { showRequests } from "./debug/request-taps.ts";
import { type Layer, type Service, stack } from "./net/exchange.ts";
import type { Shared } from "./outbound.ts";
import { logAccess } from "./telemetry/access-log.ts";
import { recordErrors } from "./telemetry/error-spans.ts";
import { loggedEverywhere } from "./telemetry/logged-requests.ts";
import { measureAndRescue } from "./telemetry/measure.ts";

/** Why there is no destination: it is none of the mesh's, or nobody could tell yet. */
export type Undestined = "outside" | "no_policy_yet";

/** In metrics: addresses are as many as an application likes. */
const serviceNames = { outside: "outside", no_policy_yet: "unknown" } as const satisfies Record<Undestined, string>;

/** Not `namespace/name`, so that no Service can be called so. */
export function isUndestined(service: string): boolean {
  return service === serviceNames.outside || service === serviceNames.no_policy_yet;
}

export interface OutsideOptions extends Omit<Shared, "wheel"> {
  /** `namespace/workload` of this pod. */
  readonly workload: string;
}

/** Makes the stack for one address, as it was dialled. */
export type OutsideStack = (reason: Undestined, address: string, innermost: Service) => Service;

export function outsideStacks(options: OutsideOptions): OutsideStack {
  const { metrics, clock, tracer, accessLog } = options;
  const logged = loggedEverywhere(accessLog);
  const measured = (reason: Undestined) => {
    const service = serviceNames[reason];
    const recordError = recordErrors({ kind: "client", tracer, service, policyVersion: () => undefined });
    return measureAndRescue({ metrics, clock, direction: "outbound", service, recordError });
  };
  // Made when there is something to measure: a pod that stays in the mesh has no series of it.
  const measures = new Map<Undestined, Layer>();
  return (reason, address, innermost) => {
    const named = { ...options, direction: "outbound", service: address } as const;
    const measure = measures.get(reason) ?? measured(reason);
    measures.set(reason, measure);
    return stack([logAccess({ ...named, logged }), showRequests(named), measure], innermost);
  };
}
