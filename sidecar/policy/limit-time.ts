/** The layers that end what takes too long: a whole request, one try, or a silence. */

import type { Clock } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { nowhere, PassThrough } from "../net/pass-through.ts";
import type { TimerEntry, TimerSlot, TimerWheel } from "../net/timer-wheel.ts";

export interface TimeSource {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

/**
 * Holds the time that the caller gave (`exchange.deadlineAtMs`) and the request timeout of a policy, whichever ends first:
 * from request head to last response byte, all tries together. What is late already goes no further.
 */
export function enforceDeadline(requestMs: number | undefined, { clock, wheel }: TimeSource): Layer {
  return (next) => (exchange, response) => {
    const now = clock.now();
    const policyAtMs = requestMs === undefined ? Number.POSITIVE_INFINITY : now + requestMs;
    const callerAtMs = exchange.deadlineAtMs;
    if (callerAtMs === Number.POSITIVE_INFINITY && requestMs === undefined) return next(exchange, response);
    if (callerAtMs <= now) {
      response.abortResponse(new MeshError("deadline_exceeded", "it was over on arrival"));
      return nowhere;
    }
    exchange.deadlineAtMs = Math.min(policyAtMs, callerAtMs);
    const delayMs = exchange.deadlineAtMs - now;
    const code = policyAtMs < callerAtMs ? "request_timeout" : "deadline_exceeded";
    const limit = new TimeLimit(
      exchange,
      response,
      wheel,
      () => new MeshError(code, `limit ${Math.round(delayMs)} ms`),
    );
    wheel.arm(limit, delayMs);
    limit.attach(next(exchange, limit));
    return limit;
  };
}

/** Ends a try after `perTryMs`, its connection included; a retry may follow. */
export function limitTry(perTryMs: number | undefined, wheel: TimerWheel): Layer {
  if (perTryMs === undefined) return (next) => next;
  return (next) => (exchange, response) => {
    const error = () => new MeshError("try_timeout", `limit ${perTryMs} ms, ${exchange.endpoint ?? "no endpoint yet"}`);
    const limit = new TimeLimit(exchange, response, wheel, error);
    wheel.arm(limit, perTryMs);
    limit.attach(next(exchange, limit));
    return limit;
  };
}

/** Ends an exchange in which no byte has moved, either way, for `idleMs`. The only limit on streams and tunnels. */
export function limitIdle(idleMs: number | undefined, wheel: TimerWheel): Layer {
  if (idleMs === undefined) return (next) => next;
  return (next) => (exchange, response) => {
    const limit = new IdleLimit(exchange, response, wheel, idleMs);
    limit.attach(next(exchange, limit));
    return limit;
  };
}

/** Cuts an exchange, both ways, when its time is over. Armed by who makes it. */
class TimeLimit extends PassThrough implements TimerEntry {
  slot: TimerSlot | undefined;
  previous: TimerEntry | undefined;
  next: TimerEntry | undefined;
  dueMs = 0;
  protected readonly wheel: TimerWheel;
  readonly #exchange: Exchange;
  readonly #error: () => MeshError;

  constructor(exchange: Exchange, above: ResponseSink, wheel: TimerWheel, error: () => MeshError) {
    super(above);
    this.wheel = wheel;
    this.#exchange = exchange;
    this.#error = error;
  }

  expire(): void {
    const error = this.#error();
    this.below?.abortRequest(error);
    this.detach();
    this.above.abortResponse(error);
  }

  override head(head: ResponseHead): void {
    if (isOpenEnded(this.#exchange, head)) this.release();
    this.above.head(head);
  }

  override endResponse(trailers?: HeaderFields): void {
    this.wheel.clear(this);
    this.above.endResponse(trailers);
  }

  override abortResponse(error: MeshError): void {
    this.wheel.clear(this);
    this.above.abortResponse(error);
  }

  override abortRequest(error: MeshError): void {
    this.wheel.clear(this);
    this.below?.abortRequest(error);
  }

  /** The answer has begun and may last as long as it likes. */
  protected release(): void {
    this.wheel.clear(this);
  }
}

class IdleLimit extends TimeLimit {
  readonly #idleMs: number;

  constructor(exchange: Exchange, above: ResponseSink, wheel: TimerWheel, idleMs: number) {
    super(exchange, above, wheel, () => new MeshError("idle_timeout", `limit ${idleMs} ms`));
    this.#idleMs = idleMs;
    wheel.arm(this, idleMs);
  }

  override writeRequest(chunk: Buffer): boolean {
    this.wheel.arm(this, this.#idleMs);
    return super.writeRequest(chunk);
  }

  override writeResponse(chunk: Buffer): boolean {
    this.wheel.arm(this, this.#idleMs);
    return super.writeResponse(chunk);
  }

  override head(head: ResponseHead): void {
    this.wheel.arm(this, this.#idleMs);
    this.above.head(head);
  }

  protected override release(): void {}
}

/** A switched protocol, a tunnel, or server-sent events: there is no "last byte" to wait for. */
function isOpenEnded(exchange: Exchange, head: ResponseHead): boolean {
  if (head.status === 101) return true;
  if (exchange.method === "CONNECT") return head.status >= 200 && head.status < 300;
  return head.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
}
