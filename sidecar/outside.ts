/**
 * The way of a request whose destination is outside the mesh: past the mesh to the dialled address, or to a refusal. No policy
 * applies, and its trace context passes unchanged; but it is counted, shown and logged like any other, and failures leave a
 * span.
 * This file only composes; why each layer does what it does is in its own file.
 */

import { showRequests } from "./debug/request-taps.ts";
import { type Layer, type Service, stack } from "./net/exchange.ts";
import type { Shared } from "./outbound.ts";
import { logAccess } from "./telemetry/access-log.ts";
import { recordErrors } from "./telemetry/error-spans.ts";
import { loggedEverywhere } from "./telemetry/logged-requests.ts";
import { measureAndRescue } from "./telemetry/measure.ts";

/** Why there is no destination: the address is outside the mesh, or the control plane has not answered yet. */
export type OutsideReason = "outside" | "no_policy_yet";

/** The names used in metrics, since an application may use any number of addresses. */
const serviceNames = { outside: "outside", no_policy_yet: "unknown" } as const satisfies Record<OutsideReason, string>;

/** These names have no slash, so no Service (`namespace/name`) can be called the same. */
export function isOutsideMesh(service: string): boolean {
  return service === serviceNames.outside || service === serviceNames.no_policy_yet;
}

export interface OutsideOptions extends Omit<Shared, "wheel"> {
  /** `namespace/workload` of this pod. */
  readonly workload: string;
}

/** Returns the stack for one address, as it was dialled. */
export type OutsideStack = (reason: OutsideReason, address: string, innermost: Service) => Service;

export function outsideStacks(options: OutsideOptions): OutsideStack {
  const { metrics, clock, tracer, accessLog } = options;
  const logged = loggedEverywhere(accessLog);
  const measured = (reason: OutsideReason) => {
    const service = serviceNames[reason];
    const recordError = recordErrors({ kind: "client", tracer, service, policyVersion: () => undefined });
    return measureAndRescue({ metrics, clock, direction: "outbound", service, recordError });
  };
  // Created when first used, so that a pod that never leaves the mesh has no such series.
  const measures = new Map<OutsideReason, Layer>();
  return (reason, address, innermost) => {
    const named = { ...options, direction: "outbound", service: address } as const;
    const measure = measures.get(reason) ?? measured(reason);
    measures.set(reason, measure);
    return stack([logAccess({ ...named, logged }), showRequests(named), measure], innermost);
  };
}
