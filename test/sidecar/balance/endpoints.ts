/** Live endpoints for tests: each answers through an upstream that does as it is told. */

import { defaultCircuitBreakerPolicy } from "../../../model/defaults.ts";
import type { CircuitBreakerPolicy } from "../../../model/policy.ts";
import type { Endpoint } from "../../../model/resources.ts";
import { LiveEndpoint } from "../../../sidecar/balance/live-endpoint.ts";
import { Breakers } from "../../../sidecar/breaker/breakers.ts";
import { RecordingUpstream } from "../../support/exchange.ts";
import type { HandClock } from "../../support/hand-clock.ts";

export const trippy: CircuitBreakerPolicy = {
  ...defaultCircuitBreakerPolicy,
  failureThreshold: 1,
  successThreshold: 2,
  openDurationMs: 30_000,
};

export function endpointAt(address: string, more: Partial<Endpoint> = {}): Endpoint {
  return { address, pod: address, state: "ready", ...more };
}

export function liveEndpoint(clock: HandClock, address: string, policy?: CircuitBreakerPolicy, isNew = false) {
  const upstream = new RecordingUpstream();
  const transitions: string[] = [];
  const live = new LiveEndpoint(endpointAt(address), upstream.service, { clock, isNew, onRoom() {} });
  if (policy !== undefined) {
    const onTransition = (endpoint: string, to: string) => transitions.push(`${endpoint} ${to}`);
    live.applyBreaker(new Breakers(policy, { clock, onTransition, mayOpen: () => true }));
  }
  return { live, upstream, transitions };
}
