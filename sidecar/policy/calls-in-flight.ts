/**
 * Which of the application's own requests belong to which request that it is serving: those of the same trace. The mesh
 * has no header that an application would have to pass on; but if it passes on the trace context, as it does for its own
 * sake, the deadline, the attempt and the word that something was retried already travel across it.
 */

import { MeshError } from "../../model/errors.ts";
import type { Exchange, Layer, Origin, ResponseHead, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";
import { isOpenEnded } from "./limit-time.ts";
import { dropOwnFields } from "./own-fields.ts";

/** How many calls are remembered at a time, in total and per trace; requests made by any further call stand alone. */
const maxCalls = 10_000;
const maxCallsOfTrace = 64;
/** A power of two: most traces have a slot to themselves. */
const places = 1_024;

/**
 * The calls that this pod's application is serving. A hash table whose chains are links in the calls themselves, so that a
 * request needs no further object here. Why not a `Map`: see `http2/stream-table.ts`.
 */
export class CallsInFlight {
  readonly #first: (Call | undefined)[] = Array.from({ length: places }, () => undefined);
  /** The number of calls per slot. Traces that share a slot share the limit of one. */
  readonly #counts = new Uint8Array(places);
  #count = 0;
  /** The number of calls ever remembered. */
  #added = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Undefined: none of that trace is being served. */
  of(traceId: string): Trace | undefined {
    let trace: Trace | undefined;
    for (let call = this.#first[bucketOf(traceId)]; call !== undefined; call = call.next)
      if (call.traceId === traceId) (trace ??= new Trace(this, traceId, this.#added)).include(call.exchange);
    return trace;
  }

  /** The calls of a trace that are being served, and were already when so many had been remembered. */
  reportRetried(traceId: string, added: number, retries: number): void {
    for (let call = this.#first[bucketOf(traceId)]; call !== undefined; call = call.next)
      if (call.traceId === traceId && call.nth <= added) call.retriesBelow = Math.max(retries, call.retriesBelow ?? 0);
  }

  /** If there are too many, it is not remembered. */
  add(call: Call): void {
    const bucket = bucketOf(call.traceId);
    if (this.#count >= maxCalls || (this.#counts[bucket] as number) >= maxCallsOfTrace) return;
    const first = this.#first[bucket];
    if (first !== undefined) first.previous = call;
    call.next = first;
    call.isRemembered = true;
    call.nth = ++this.#added;
    this.#first[bucket] = call;
    (this.#counts[bucket] as number)++;
    this.#count++;
  }

  remove(call: Call): void {
    if (!call.isRemembered) return;
    const bucket = bucketOf(call.traceId);
    const { previous, next } = call;
    if (previous === undefined) this.#first[bucket] = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    call.previous = call.next = undefined;
    call.isRemembered = false;
    (this.#counts[bucket] as number)--;
    this.#count--;
  }
}

/** The slot of a trace, by the last digits of its id, which are random in ids of every origin. */
function bucketOf(traceId: string): number {
  let hash = 0;
  for (let i = Math.max(0, traceId.length - 4); i < traceId.length; i++) hash = hash * 37 + traceId.charCodeAt(i);
  return hash & (places - 1);
}

/**
 * The calls of one trace at the time one of them led to a request; usually one. They can't be told apart, so the most lenient
 * applies. None of them is kept alive by this: what it led to may go on for hours after it.
 */
class Trace implements Origin {
  deadlineAtMs = 0;
  attempt = Number.POSITIVE_INFINITY;
  readonly #calls: CallsInFlight;
  readonly #traceId: string;
  readonly #added: number;

  constructor(calls: CallsInFlight, traceId: string, added: number) {
    this.#calls = calls;
    this.#traceId = traceId;
    this.#added = added;
  }

  include({ deadlineAtMs, callerAttempt }: Exchange): void {
    this.deadlineAtMs = Math.max(this.deadlineAtMs, deadlineAtMs);
    this.attempt = Math.min(this.attempt, callerAttempt);
  }

  retriedBelow(retries: number): void {
    this.#calls.reportRetried(this.#traceId, this.#added, retries);
  }
}

/** Adds what is the mesh's word to the head of an answer. */
export type Vouch = (exchange: Exchange, head: ResponseHead) => void;

/**
 * Inbound, the last layer before the application: remembers a request while the application works on it, and removes the
 * mesh's own fields from its response, except what `vouch` adds. An application that accepts no connection has processed
 * nothing: the peer is told so, and tries elsewhere.
 */
export function serveCall(calls: CallsInFlight, vouch?: Vouch): Layer {
  return (next) => (exchange, response) => {
    const call = new Call(exchange, response, calls, vouch);
    calls.add(call);
    call.attach(next(exchange, call));
    return call;
  };
}

/**
 * Outbound: a request inherits from the call that the application is serving by making it. `lost`: there are calls in
 * flight, but the application gave it no trace context to tell which one it belongs to. A request with the context of
 * another trace is work of its own.
 */
export function continueCall(calls: CallsInFlight, lost: () => void): Layer {
  return (next) => (exchange, response) => {
    if (calls.isEmpty) return next(exchange, response);
    const trace = calls.of(traceIdOf(exchange));
    if (trace === undefined) {
      if (exchange.beginsTrace) lost();
    } else {
      exchange.origin = trace;
      exchange.deadlineAtMs = Math.min(exchange.deadlineAtMs, trace.deadlineAtMs);
      exchange.callerAttempt = trace.attempt;
    }
    return next(exchange, response);
  };
}

/** The layer that traces has seen to it that there is one, and only one. */
function traceIdOf({ headers }: Exchange): string {
  return headers.get("traceparent")?.slice(3, 35) ?? "";
}

/** One request that the application is serving. */
class Call extends PassThrough {
  readonly exchange: Exchange;
  readonly traceId: string;
  /** How often a request that it led to was retried in vain, if at all. */
  retriesBelow: number | undefined;
  /** Its neighbours among the calls in flight, who own these four, and its number among all that they remembered. */
  previous: Call | undefined;
  next: Call | undefined;
  isRemembered = false;
  nth = 0;
  readonly #calls: CallsInFlight;
  readonly #vouch: Vouch | undefined;

  constructor(exchange: Exchange, above: ResponseSink, calls: CallsInFlight, vouch: Vouch | undefined) {
    super(above);
    this.exchange = exchange;
    this.traceId = traceIdOf(exchange);
    this.#calls = calls;
    this.#vouch = vouch;
  }

  override informational(head: ResponseHead): void {
    dropOwnFields(head.headers);
    this.above.informational(head);
  }

  override head(head: ResponseHead): void {
    dropOwnFields(head.headers);
    this.#vouch?.(this.exchange, head);
    if (isOpenEnded(this.exchange, head)) this.exchange.deadlineAtMs = Number.POSITIVE_INFINITY;
    if (this.retriesBelow !== undefined) head.headers.set("tulle-retried", String(this.retriesBelow));
    this.above.head(head);
  }

  override endResponse(trailers?: HeaderFields): void {
    this.#calls.remove(this);
    this.above.endResponse(trailers);
  }

  override abortResponse(error: MeshError): void {
    this.#calls.remove(this);
    const refused = error.code === "connect_failed" || error.code === "connect_timeout";
    super.abortResponse(
      refused ? new MeshError("refused_stream", error.message, { cause: error, processed: "unprocessed" }) : error,
    );
  }

  override abortRequest(error: MeshError): void {
    this.#calls.remove(this);
    super.abortRequest(error);
  }
}
