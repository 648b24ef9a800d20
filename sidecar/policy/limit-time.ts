/** The layers that end whatever takes too long: a whole request, one try, or a silence. */

import type { Clock } from "../../model/clock.ts";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { nowhere, PassThrough } from "../net/pass-through.ts";
import type { TimerEntry, TimerSlot, TimerWheel } from "../net/timer-wheel.ts";

export interface TimeSource {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export interface RequestTimes {
  /** From request head to last response byte, all tries together. Undefined: only the caller's deadline applies. */
  readonly requestMs?: number;
  /** The longest silence in both directions; the only limit on streams and tunnels. Undefined: none. */
  readonly idleMs?: number;
}

/**
 * Enforces the caller's deadline (`exchange.deadlineAtMs`) and the policy's request timeout, whichever ends first, and ends
 * exchanges that fall silent. A request that is already late goes no further.
 */
export function limitTime(limits: RequestTimes, times: TimeSource): Layer {
  return limitRequest(limits, 0, times);
}

/**
 * The far side of `limitTime`. A request that arrives late is refused; one that becomes late is cut a little after the
 * caller's own sidecar should have done so: that sidecar knows why, so its response is the one to be seen.
 */
export function refuseLate(times: TimeSource): Layer {
  return limitRequest({}, cutLateByMs, times);
}

const never = Number.POSITIVE_INFINITY;
const cutLateByMs = 100;

function limitRequest(limits: RequestTimes, graceMs: number, { clock, wheel }: TimeSource): Layer {
  const { requestMs = never, idleMs = never } = limits;
  return (next) => (exchange, response) => {
    const now = clock.now();
    const policyAtMs = now + requestMs;
    const callerAtMs = exchange.deadlineAtMs;
    if (callerAtMs <= now) {
      response.abortResponse(new MeshError("deadline_exceeded", "it had passed on arrival"));
      return nowhere;
    }
    exchange.deadlineAtMs = Math.min(policyAtMs, callerAtMs);
    const delayMs = exchange.deadlineAtMs - now;
    if (delayMs === never && idleMs === never) return next(exchange, response);
    const code = policyAtMs < callerAtMs ? "request_timeout" : "deadline_exceeded";
    const limit = new TimeLimit(exchange, response, wheel, { code, delayMs, graceMs, idleMs });
    limit.attach(next(exchange, limit));
    return limit;
  };
}

/** Ends a try after `perTryMs`, including its connection; a retry may follow. */
export function limitTry(perTryMs: number | undefined, wheel: TimerWheel): Layer {
  if (perTryMs === undefined) return (next) => next;
  const limits: Limits = { code: "try_timeout", delayMs: perTryMs, graceMs: 0, idleMs: never };
  return (next) => (exchange, response) => {
    const limit = new TimeLimit(exchange, response, wheel, limits);
    limit.attach(next(exchange, limit));
    return limit;
  };
}

/** Times in ms; `Infinity`: no limit. */
interface Limits {
  /** The error once `delayMs` has passed. */
  readonly code: ErrorCode;
  readonly delayMs: number;
  /** Time that is added to `delayMs`. */
  readonly graceMs: number;
  readonly idleMs: number;
}

/**
 * Cuts an exchange, in both directions, when its time is over. One timer serves both limits, armed for the one that comes
 * first. A byte that passes only stores its time: when the timer expires it looks at that, and is armed for the remainder.
 * Silence is watched until both directions have ended, because the remaining half of a tunnel may fall silent too.
 */
class TimeLimit extends PassThrough implements TimerEntry {
  slot: TimerSlot | undefined;
  previous: TimerEntry | undefined;
  next: TimerEntry | undefined;
  dueTick = 0;
  readonly #exchange: Exchange;
  readonly #wheel: TimerWheel;
  readonly #code: ErrorCode;
  readonly #delayMs: number;
  readonly #idleMs: number;
  /** When the request's time is over; never after the last response byte, or if there is none to wait for. */
  #dueAtMs: number;
  #movedAtMs: number;
  #requestEnded = false;
  #responseEnded = false;
  #over = false;

  constructor(exchange: Exchange, above: ResponseSink, wheel: TimerWheel, { code, delayMs, graceMs, idleMs }: Limits) {
    super(above);
    this.#exchange = exchange;
    this.#wheel = wheel;
    this.#code = code;
    this.#delayMs = delayMs;
    this.#idleMs = idleMs;
    const now = wheel.now();
    this.#dueAtMs = now + delayMs + graceMs;
    this.#movedAtMs = now;
    wheel.arm(this, Math.min(delayMs + graceMs, idleMs));
  }

  expire(): void {
    const restMs = Math.min(this.#dueAtMs, this.#movedAtMs + this.#idleMs) - this.#wheel.now();
    if (restMs <= 0) this.#cut();
    else if (restMs < never) this.#wheel.arm(this, restMs);
  }

  #cut(): void {
    const { above, below } = this;
    const error = this.#error();
    this.leave();
    below?.abortRequest(error);
    above.abortResponse(error);
  }

  /** Says what was too slow. */
  #error(): MeshError {
    if (this.#wheel.now() < this.#dueAtMs) return new MeshError("idle_timeout", `limit ${this.#idleMs} ms`);
    const limit = `limit ${Math.round(this.#delayMs)} ms`;
    if (this.#code !== "try_timeout") return new MeshError(this.#code, limit);
    return new MeshError(this.#code, `${limit}, ${this.#exchange.endpoint ?? "no endpoint yet"}`);
  }

  override writeRequest(chunk: Buffer): boolean {
    this.#moved();
    return this.below?.writeRequest(chunk) ?? true;
  }

  override endRequest(trailers?: HeaderFields): void {
    this.#requestEnded = true;
    this.#moved();
    this.below?.endRequest(trailers);
  }

  override informational(head: ResponseHead): void {
    this.#moved();
    super.informational(head);
  }

  override head(head: ResponseHead): void {
    if (isOpenEnded(this.#exchange, head)) this.#dueAtMs = never;
    this.#moved();
    this.above.head(head);
  }

  override writeResponse(chunk: Buffer): boolean {
    this.#moved();
    return this.above.writeResponse(chunk);
  }

  override endResponse(trailers?: HeaderFields): void {
    this.#responseEnded = true;
    this.#dueAtMs = never;
    this.#moved();
    this.above.endResponse(trailers);
  }

  protected override leave(): void {
    this.#over = true;
    this.#wheel.clear(this);
    super.leave();
  }

  #moved(): void {
    if (this.#over) return;
    if (this.#responseEnded && (this.#requestEnded || this.#idleMs === never)) this.#wheel.clear(this);
    else this.#movedAtMs = this.#wheel.now();
  }
}

const eventStream = /^text\/event-stream\b/i;

/** A switched protocol, a tunnel, or server-sent events: these have no "last byte" to wait for. */
export function isOpenEnded(exchange: Exchange, head: ResponseHead): boolean {
  if (head.status === 101) return true;
  if (exchange.method === "CONNECT") return head.status >= 200 && head.status < 300;
  const type = head.headers.get("content-type");
  // Most responses are JSON, and need no regular expression.
  return type !== undefined && (type.startsWith("t") || type.startsWith("T")) && eventStream.test(type);
}
