/**
 * A request's way to the application, from a peer's sidecar or in the clear from a caller without one: the layers, in the
 * order in which it passes them.
 * This file only composes; why each layer does what it does is in its own file.
 */

import type { ErrorCode } from "../model/errors.ts";
import type { Inbound } from "../model/resources.ts";
import { showRequests } from "./debug/request-taps.ts";
import { type KeyedRequests, processOnce } from "./idempotency/process-once.ts";
import { refuseTunnels, takeTarget } from "./mesh-link/target.ts";
import { type Service, stack } from "./net/exchange.ts";
import type { Shared } from "./outbound.ts";
import { authorize } from "./policy/authorize.ts";
import type { BoundConnections } from "./policy/bound-connections.ts";
import { type CallsInFlight, serveCall } from "./policy/calls-in-flight.ts";
import { limitRate, type RateLimiters } from "./policy/limit-rate.ts";
import { refuseLate } from "./policy/limit-time.ts";
import { identifyCaller, takeAttempt, takeOwnFields } from "./policy/own-fields.ts";
import { logAccess } from "./telemetry/access-log.ts";
import { countAccess } from "./telemetry/counts.ts";
import { recordErrors } from "./telemetry/error-spans.ts";
import { loggedByPort } from "./telemetry/logged-requests.ts";
import { measureAndRescue } from "./telemetry/measure.ts";
import { traceRequest } from "./telemetry/trace.ts";

export interface InboundOptions extends Shared {
  /** `namespace/workload`. */
  readonly workload: string;
  /** `peers`: sidecars, over the mesh link; `anybody`: callers in the clear, where the connection tells `exchange.target`. */
  readonly from: "peers" | "anybody";
  /** Streams must be addressed to this IP and one of the declared ports. */
  readonly podIp: string;
  /** The workload's policies now in force. Undefined: not known yet, so nothing is admitted. */
  readonly inbound: () => Inbound | undefined;
  /** Their version; undefined: there is none. */
  readonly policyVersion: () => string | undefined;
  /** The mesh's own. */
  readonly trustDomain: string;
  readonly rateLimiters: RateLimiters;
  readonly keyed: KeyedRequests;
  readonly calls: CallsInFlight;
  readonly bound: BoundConnections;
  /** The application, by the port in `exchange.target`. */
  readonly application: Service;
}

export function inboundStack(options: InboundOptions): Service {
  const { clock, metrics, tracer, accessLog, workload, from, podIp, inbound, trustDomain, bound } = options;
  const ports = () => inbound()?.ports;
  const traced = { kind: "server", tracer, service: workload, policyVersion: options.policyVersion } as const;
  const recordError = recordErrors(traced);
  const passOn: readonly ErrorCode[] = from === "peers" ? ["refused_stream"] : [];
  return stack(
    [
      logAccess({ ...options, logged: loggedByPort(accessLog, inbound), direction: "inbound", service: workload }),
      showRequests({ ...options, direction: "inbound", service: workload }),
      traceRequest(traced),
      // `passOn` is the one error passed on as such: it tells the peer that nothing was processed, so it tries elsewhere.
      measureAndRescue({ metrics, clock, direction: "inbound", service: workload, recordError, passOn }),
      // Which port is it for, and is it for this pod at all? Its address may have been reused. Is it new, or a retry?
      ...(from === "peers" ? [takeTarget({ podIp, ports }), takeAttempt()] : []),
      // Requests must not pass what is below as the bytes of a tunnel.
      refuseTunnels(),
      // Does it belong to a client that the application knows by its connection?
      ...(from === "peers" ? [bound.recall] : []),
      // The mesh's own fields are read and removed …
      takeOwnFields(clock),
      // … and the only one that the application can trust is set: who calls, by the caller's certificate.
      identifyCaller(),
      // May this caller do this? Nothing further is spent on those who may not.
      authorize({ trustDomain, counts: countAccess(metrics) }),
      // No more than the application should bear. Callers who are refused above take nothing from the others' share.
      limitRate(options.rateLimiters),
      // Requests that are already late don't reach the application.
      refuseLate(options),
      // Once per key. Below everything that may refuse, because a refused request was not processed and may be repeated.
      processOnce(options.keyed),
      // Remembers the request, so that calls the application makes meanwhile inherit from it; removes forged fields from the response.
      serveCall(options.calls, from === "peers" ? bound.announce : undefined),
    ],
    options.application,
  );
}
