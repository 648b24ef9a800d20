/**
 * A request whose key is known already. Its body is compared, not stored, and not passed on; then it waits for the answer to
 * the first request, if that is still to come, and gets it.
 *
 * ```
 *   reading ──end──▶ waiting ──told──▶ replaying ──▶ over
 *      │                └──other request, failure, time──▶ refused
 *      └──abort──▶ over (from anywhere)
 * ```
 */

import { MeshError } from "../../model/errors.ts";
import type { Exchange, RequestSink, ResponseSink } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import { Replay } from "./answer.ts";
import { Fingerprint } from "./fingerprint.ts";
import type { InFlight, Outcome, Waiting } from "./in-flight.ts";

/** What became of a repeat. */
export type RepeatOutcome =
  /** It got the answer to a request that had been processed when it arrived. */
  | "replayed"
  /** It waited for the answer. */
  | "joined"
  /** It waited, and there was no answer. */
  | "failed"
  | "answer_lost"
  | "key_reused"
  /** It waited too long. */
  | "in_flight";

export interface RepeatOptions {
  readonly wheel: TimerWheel;
  /** How long it waits for the answer. */
  readonly waitMs: number;
  readonly ended: (outcome: RepeatOutcome) => void;
}

/** The value of `Retry-After`. */
const askAgainMs = 1_000;

type State =
  | { readonly kind: "reading" }
  | { readonly kind: "waiting"; readonly fingerprint: string }
  | { readonly kind: "replaying"; readonly replay: Replay }
  | { readonly kind: "over" };

const over: State = { kind: "over" };

export class Repeat extends Timer implements RequestSink, Waiting {
  readonly #response: ResponseSink;
  readonly #inFlight: InFlight;
  readonly #options: RepeatOptions;
  readonly #digest: Fingerprint;
  #state: State = { kind: "reading" };
  #hasWaited = false;

  constructor(exchange: Exchange, response: ResponseSink, inFlight: InFlight, options: RepeatOptions) {
    super();
    this.#response = response;
    this.#inFlight = inFlight;
    this.#options = options;
    this.#digest = new Fingerprint(exchange);
    inFlight.enter(this);
    // Nobody else will ask for the body of a caller that waits for 100 (Continue).
    if (!exchange.bodyless && exchange.headers.get("expect")?.toLowerCase() === "100-continue") {
      response.informational({ status: 100, headers: new HeaderFields(), bodyless: true });
    }
  }

  get fingerprint(): string | undefined {
    return this.#state.kind === "waiting" ? this.#state.fingerprint : undefined;
  }

  writeRequest(chunk: Buffer): boolean {
    if (this.#state.kind === "reading") this.#digest.update(chunk);
    return true;
  }

  endRequest(): void {
    if (this.#state.kind !== "reading") return;
    this.#state = { kind: "waiting", fingerprint: this.#digest.digest() };
    this.#hasWaited = !this.#inFlight.settled;
    if (this.#hasWaited) this.#options.wheel.arm(this, this.#options.waitMs);
    this.#inFlight.ready(this);
  }

  abortRequest(_error: MeshError): void {
    if (this.#state.kind === "replaying") this.#state.replay.stop();
    this.#stopWaiting();
    this.#state = over;
  }

  resumeResponse(): void {
    if (this.#state.kind === "replaying") this.#state.replay.resume();
  }

  resolve(outcome: Outcome): void {
    if (this.#state.kind !== "waiting") return;
    if (outcome.kind === "failed") return this.#refuse("failed", outcome.error);
    const { fingerprint, answer } = outcome.record;
    if (fingerprint !== this.#state.fingerprint) return this.refuseReusedKey();
    if (answer === undefined) {
      return this.#refuse("answer_lost", new MeshError("idempotency_answer_lost", "", unprocessed));
    }
    this.#stopWaiting();
    this.#options.ended(this.#hasWaited ? "joined" : "replayed");
    const replay = new Replay(answer, this.#response);
    this.#state = { kind: "replaying", replay };
    replay.start();
  }

  refuseReusedKey(): void {
    this.#refuse("key_reused", new MeshError("idempotency_key_reused", "", unprocessed));
  }

  /** It has waited long enough. */
  override expire(): void {
    const retryAfterMs = askAgainMs;
    this.#refuse("in_flight", new MeshError("idempotency_in_flight", "", { ...unprocessed, retryAfterMs }));
  }

  #refuse(outcome: RepeatOutcome, error: MeshError): void {
    if (this.#state.kind === "over") return;
    this.#stopWaiting();
    this.#state = over;
    this.#options.ended(outcome);
    this.#response.abortResponse(error);
  }

  #stopWaiting(): void {
    this.#options.wheel.clear(this);
    this.#inFlight.leave(this);
  }
}

/** This is said of the repeat itself, not of the first request. */
const unprocessed = { processed: "unprocessed" } as const;
