/**
 * Delays requests, or answers them with an error instead of the application, as a FaultInjection asks, until its end time.
 * It is part of each try, above the choice of a backend: retries and timeouts treat a fault like a real one, while circuit
 * breakers, which judge endpoints, do not see it.
 */

import type { Random } from "../../model/clock.ts";
import { errorCodes, type MeshError } from "../../model/errors.ts";
import { faultOf } from "../../model/fault.ts";
import { pathOf } from "../../model/path.ts";
import type { FaultAbort, FaultPolicy } from "../../model/policy.ts";
import { compileMatches, type RequestView } from "../../model/route-match.ts";
import type { Exchange, Layer, ResponseSink, Service } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { HeldRequest } from "../net/held-request.ts";
import { nowhere } from "../net/pass-through.ts";
import type { TimerEntry, TimerSlot, TimerWheel } from "../net/timer-wheel.ts";
import { answerGrpc, answerHttp } from "./rescue.ts";

export interface FaultOptions {
  readonly wheel: TimerWheel;
  readonly random: Random;
  /** Milliseconds since 1970. */
  readonly unixNow: () => number;
}

export function injectFaults(policy: FaultPolicy | undefined, { wheel, random, unixNow }: FaultOptions): Layer {
  if (policy === undefined) return (next) => next;
  const touches = compileMatches(policy.matches);
  return (next) => {
    const failing = policy.abort && answerWith(policy.abort);
    return (exchange, response) => {
      const fault = touches(viewOf(exchange)) ? faultOf(policy, unixNow(), random) : undefined;
      if (fault === undefined) return next(exchange, response);
      const service = fault.abort === undefined || failing === undefined ? next : failing;
      if (fault.delayMs === 0) return service(exchange, response);
      const delayed = new DelayedRequest(exchange, response, service, wheel);
      wheel.arm(delayed, fault.delayMs);
      return delayed;
    };
  };
}

function viewOf({ method, path: target, headers }: Exchange): RequestView {
  const path = pathOf(target);
  return { method, path, query: target.slice(path.length + 1), headers };
}

/** The policy's status, in the form in which the policy gives it: an HTTP status even for a gRPC caller. */
function answerWith(abort: FaultAbort): Service {
  const { says } = errorCodes.fault_injected;
  return (exchange, response) => {
    const headers = new HeaderFields(["tulle-error", "fault_injected"]);
    if (abort.kind === "grpc") answerGrpc(response, abort.status, headers, `fault_injected: ${says}`);
    else answerHttp(exchange, response, abort.status, headers, says);
    return nowhere;
  };
}

/** Waits, then passes the request on, unless its caller has given up. */
class DelayedRequest extends HeldRequest implements TimerEntry {
  slot: TimerSlot | undefined;
  previous: TimerEntry | undefined;
  next: TimerEntry | undefined;
  dueTick = 0;
  readonly #service: Service;
  readonly #wheel: TimerWheel;

  constructor(exchange: Exchange, response: ResponseSink, service: Service, wheel: TimerWheel) {
    super(exchange, response);
    this.#service = service;
    this.#wheel = wheel;
  }

  expire(): void {
    this.release(this.#service);
  }

  override abortRequest(error: MeshError): void {
    this.#wheel.clear(this);
    super.abortRequest(error);
  }
}
