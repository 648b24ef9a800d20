/**
 * The way of a request from a peer's sidecar, or in the clear from somebody who has none, to the application: the layers
 * in the order in which it meets them.
 * This file composes; each layer's reasons are in its own.
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
  /** Who calls: sidecars over the mesh link, or anybody in the clear, where `exchange.target` is known by the connection. */
  readonly from: "peers" | "anybody";
  /** What a stream may be meant for: this pod's IP, and its declared ports. */
  readonly podIp: string;
  /** What holds for this workload now. Undefined: not known yet, and nothing is admitted. */
  readonly inbound: () => Inbound | undefined;
  /** The version of that; undefined: nobody gave it one. */
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
      // The one error that stays an error: the peer then knows that nothing was processed, and tries elsewhere.
      measureAndRescue({ metrics, clock, direction: "inbound", service: workload, recordError, passOn }),
      // For this pod, and for which port? An address may have been reused by another pod. And is it new, or a retry?
      ...(from === "peers" ? [takeTarget({ podIp, ports }), takeAttempt()] : []),
      // Nor past what is below as the bytes of a tunnel.
      refuseTunnels(),
      // Of a client that the application knows by its connection?
      ...(from === "peers" ? [bound.recall] : []),
      // The mesh's own fields are understood and removed …
      takeOwnFields(clock),
      // … and the only one that the application can trust is set: who calls, from the caller's certificate.
      identifyCaller(),
      // May this caller do this? Nothing below is spent on who may not.
      authorize({ trustDomain, counts: countAccess(metrics) }),
      // Not more than the application is to bear; who may not call at all takes nothing from those who may.
      limitRate(options.rateLimiters),
      // What is late already does not reach the application.
      refuseLate(options),
      // Once for each key. Below all that may refuse: what was refused was not processed, and may come again.
      processOnce(options.keyed),
      // What the application asks of others meanwhile belongs to this request; what it answers is not the mesh's word.
      serveCall(options.calls, from === "peers" ? bound.announce : undefined),
    ],
    options.application,
  );
}
