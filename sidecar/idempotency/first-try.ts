/**
 * The one request with a key that goes to the application. Its answer is recorded as it passes by, and shared with repeats
 * that arrive meanwhile or later.
 *
 * ```
 *   attached ──caller gone, request whole──▶ detached ──time, answer too long──▶ given up: a bare record
 *      │                                        │
 *      │◀──────────── both have ended ─────────▶│
 *      │              last word: kept · else: the key is free again
 *      └──caller gone, request not whole · application failed──▶ the key is free again
 * ```
 *
 * Once the application has the whole request, it no longer matters if the caller leaves: the work may be done already, so the
 * answer is fetched, and stored for the caller's next try.
 */

import { MeshError } from "../../model/errors.ts";
import { isFinal } from "../../model/idempotency.ts";
import type { NamedIdempotencyRules } from "../../model/policy.ts";
import { grpcStatus } from "../../model/try-outcome.ts";
import type { Exchange, ResponseHead, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";
import type { TimerEntry, TimerSlot, TimerWheel } from "../net/timer-wheel.ts";
import { grpcStatusIn, grpcStatusOf, isGrpc } from "../policy/grpc.ts";
import { Recording, type RecordingBudget } from "./answer.ts";
import { Fingerprint } from "./fingerprint.ts";
import type { InFlight, Outcome } from "./in-flight.ts";
import type { Claim } from "./record-store.ts";

/** What became of an answer. */
export type AnswerOutcome =
  | "kept"
  /** It is not final, so the key is free again. */
  | "not_final"
  /** It was too long, or nobody was there to take it to its end: only the fact that the request was processed is kept. */
  | "lost"
  /** There was none, or it came before the request was whole. */
  | "none";

export interface FirstTryOptions {
  readonly wheel: TimerWheel;
  readonly budget: RecordingBudget;
  /** How long the application may work on without a caller. */
  readonly detachedMs: number;
  /** Returns false if too many requests already do that. */
  readonly mayDetach: () => boolean;
  /** Called once, when nothing is in progress any more. `wasDetached`: `mayDetach` has returned true. */
  readonly over: (outcome: AnswerOutcome, wasDetached: boolean) => void;
}

export class FirstTry extends PassThrough implements TimerEntry {
  slot: TimerSlot | undefined;
  previous: TimerEntry | undefined;
  next: TimerEntry | undefined;
  dueTick = 0;
  readonly #rules: NamedIdempotencyRules;
  readonly #options: FirstTryOptions;
  readonly #inFlight: InFlight;
  readonly #claim: Claim;
  readonly #recording: Recording;
  readonly #digest: Fingerprint;
  /** -1: there is no content-length. */
  readonly #contentLength: number;
  readonly #isGrpc: boolean;
  #fingerprint: string | undefined;
  #head: ResponseHead | undefined;
  #responseEnded = false;
  #detached = false;
  #over = false;

  constructor(
    exchange: Exchange,
    above: ResponseSink,
    key: { readonly inFlight: InFlight; readonly claim: Claim; readonly rules: NamedIdempotencyRules },
    options: FirstTryOptions,
  ) {
    super(above);
    this.#rules = key.rules;
    this.#inFlight = key.inFlight;
    this.#claim = key.claim;
    this.#options = options;
    this.#recording = new Recording(key.rules.maxAnswerBytes, options.budget);
    this.#digest = new Fingerprint(exchange);
    this.#contentLength = exchange.bodyless ? 0 : Number(exchange.headers.get("content-length") ?? -1);
    this.#isGrpc = isGrpc(exchange);
  }

  override writeRequest(chunk: Buffer): boolean {
    if (this.#fingerprint === undefined) this.#digest.update(chunk);
    return super.writeRequest(chunk);
  }

  override endRequest(trailers?: HeaderFields): void {
    if (this.#over || this.#fingerprint !== undefined) return;
    this.#identify();
    super.endRequest(trailers);
    this.#finishIfDone(undefined);
  }

  /** The application may have the whole request before its end is known: when all bytes of its `Content-Length` were sent. */
  override abortRequest(error: MeshError): void {
    if (this.#over || this.#detached) return;
    const isWhole = this.#fingerprint !== undefined || this.#digest.bytes === this.#contentLength;
    if (!isWhole) {
      this.#end("none", { kind: "failed", error }, () => this.#claim.release());
      return super.abortRequest(error);
    }
    const { below } = this;
    if (this.#fingerprint === undefined) {
      this.#identify();
      below?.endRequest();
    }
    if (this.#responseEnded) return this.#finishIfDone(undefined);
    if (!this.#options.mayDetach()) return this.#giveUp(error);
    this.#detached = true;
    this.#options.wheel.arm(this, this.#options.detachedMs);
    below?.resumeResponse();
    return undefined;
  }

  override resumeResponse(): void {
    if (!this.#detached) super.resumeResponse();
  }

  override informational(head: ResponseHead): void {
    if (!this.#detached) super.informational(head);
  }

  override head(head: ResponseHead): void {
    this.#head = head;
    this.#recording.head(head);
    if (!this.#detached) super.head(head);
  }

  override writeResponse(chunk: Buffer): boolean {
    this.#recording.write(chunk);
    if (!this.#detached) return super.writeResponse(chunk);
    if (this.#recording.tooLong) this.#giveUp(new MeshError("upstream_reset", "nobody takes the answer"));
    return true;
  }

  /** The record is stored before the caller has the end of the answer. */
  override endResponse(trailers?: HeaderFields): void {
    if (this.#over) return;
    this.#responseEnded = true;
    this.#finishIfDone(trailers);
    if (!this.#detached) super.endResponse(trailers);
  }

  override abortResponse(error: MeshError): void {
    this.#end("none", { kind: "failed", error }, () => this.#claim.release());
    if (!this.#detached) super.abortResponse(error);
  }

  override resumeRequest(): void {
    if (!this.#detached) super.resumeRequest();
  }

  /** The application takes too long for an answer that nobody waits for. */
  expire(): void {
    this.#giveUp(new MeshError("request_timeout", "nobody waits for the answer any more"));
  }

  #identify(): void {
    this.#fingerprint = this.#digest.digest();
    this.#inFlight.identify(this.#fingerprint);
  }

  #finishIfDone(trailers: HeaderFields | undefined): void {
    const fingerprint = this.#fingerprint;
    if (!this.#responseEnded || fingerprint === undefined) {
      if (this.#responseEnded) this.#trailers = trailers;
      return;
    }
    const answer = this.#recording.finish(trailers ?? this.#trailers);
    const record = { fingerprint, answer };
    if (this.#isFinal(trailers ?? this.#trailers)) {
      const outcome = answer === undefined ? "lost" : "kept";
      this.#end(outcome, { kind: "answered", record }, () => this.#claim.keep(record, this.#rules.ttlMs));
    } else if (answer === undefined) {
      const error = new MeshError("upstream_reset", "the request that it repeats failed");
      this.#end("not_final", { kind: "failed", error }, () => this.#claim.release());
    } else {
      this.#end("not_final", { kind: "answered", record }, () => this.#claim.release(record));
    }
  }

  /** The trailers, if they arrived before the request had ended. */
  #trailers: HeaderFields | undefined;

  #isFinal(trailers: HeaderFields | undefined): boolean {
    const head = this.#head;
    if (head === undefined) return false;
    const ofGrpc = grpcStatusOf(head) ?? grpcStatusIn(trailers);
    return isFinal({ status: head.status, grpcStatus: this.#isGrpc ? (ofGrpc ?? grpcStatus.unknown) : undefined });
  }

  /** The request may have been processed, and nobody will learn how it ended. */
  #giveUp(error: MeshError): void {
    const { below } = this;
    const record = { fingerprint: this.#fingerprint ?? "", answer: undefined };
    this.#end("lost", { kind: "answered", record }, () => this.#claim.keep(record, this.#rules.ttlMs));
    this.leave();
    below?.abortRequest(error);
  }

  #end(outcome: AnswerOutcome, forRepeats: Outcome, settleClaim: () => void): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.wheel.clear(this);
    this.#recording.stop();
    settleClaim();
    this.#options.over(outcome, this.#detached);
    this.#inFlight.settle(forRepeats);
  }
}
