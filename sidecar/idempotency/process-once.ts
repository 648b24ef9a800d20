/**
 * Lets each request with an `Idempotency-Key` through to the application once: the first with a key is processed, the
 * others get its answer. Which one is first is decided here among requests in this sidecar, and by the policy's store
 * among all others.
 *
 * ```
 *   keyed ──in flight here──────────────────────▶ Repeat
 *     └──▶ store ──claimed──▶ FirstTry            (Repeats join it)
 *            ├──recorded, in flight elsewhere──▶ Repeat
 *            └──not reachable──▶ refused, or FirstTry of which nothing is kept
 * ```
 */

import type { Clock } from "../../model/clock.ts";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import { judgeKey } from "../../model/idempotency.ts";
import type { AnswerStore, NamedIdempotencyRules } from "../../model/policy.ts";
import type { PortPolicies } from "../../model/resources.ts";
import type { Exchange, Layer, RequestSink, ResponseSink, Service } from "../net/exchange.ts";
import { HeldRequest } from "../net/held-request.ts";
import { nowhere } from "../net/pass-through.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { RecordingBudget } from "./answer.ts";
import { nameOfKey } from "./fingerprint.ts";
import { type AnswerOutcome, FirstTry } from "./first-try.ts";
import { InFlight } from "./in-flight.ts";
import { MemoryRecords } from "./memory-records.ts";
import type { Claim, Found, Poll, RecordStore } from "./record-store.ts";
import { Repeat, type RepeatOutcome } from "./repeat.ts";
import { Watch } from "./watch.ts";

/** What became of a request under an IdempotencyPolicy. */
export type KeyedOutcome =
  | RepeatOutcome
  | "processed"
  /** Processed although the store could not be reached. */
  | "unguarded"
  | "key_missing"
  | "key_invalid"
  | "store_failed";

export interface IdempotencyCounts {
  ended(policy: string, outcome: KeyedOutcome): void;
  answered(policy: string, outcome: AnswerOutcome): void;
  evicted(what: "answer" | "record"): void;
}

export interface KeyedRequestsOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly counts: IdempotencyCounts;
  /** Returns the store that all replicas share; it is opened at the first call. */
  readonly sharedRecords: () => RecordStore;
}

/** How long a repeat waits for the answer to the first request. */
const waitMs = 30_000;
/** How long an application may work on without a caller, and for how many requests at a time. */
const detachedMs = 300_000;
const maxDetached = 256;
const memoryLimits = { maxRecords: 50_000, maxBytes: 32 * 1024 * 1024 };
const recordingBytes = 32 * 1024 * 1024;

export function processOnce(keyed: KeyedRequests): Layer {
  return (next) => (exchange, response) => {
    const rules = exchange.target?.idempotency;
    if (rules === undefined) return next(exchange, response);
    const verdict = judgeKey(rules, exchange.method, exchange.headers);
    switch (verdict.kind) {
      case "pass":
        return next(exchange, response);
      case "key-missing":
        return keyed.refuse(response, rules, "key_missing", "idempotency_key_missing");
      case "key-invalid":
        return keyed.refuse(response, rules, "key_invalid", "idempotency_key_invalid");
      case "keyed":
        return keyed.take(verdict.key, rules, next, exchange, response);
    }
  };
}

/** What a sidecar knows about keys. There is one for all its ways in, and it outlives updates of the policies. */
export class KeyedRequests {
  readonly #options: KeyedRequestsOptions;
  readonly #memory: MemoryRecords;
  /** By the key's name. The store of a key is that of the policy at its first request. */
  readonly #inFlight = new Map<string, InFlight>();
  readonly #budget = new RecordingBudget(recordingBytes);
  #detached = 0;

  constructor(options: KeyedRequestsOptions) {
    this.#options = options;
    this.#memory = new MemoryRecords(options.clock, memoryLimits, options.counts);
  }

  /** What is held here now; `bytes`: the size of the answers. */
  get held(): { readonly inFlight: number; readonly answered: number; readonly bare: number; readonly bytes: number } {
    return { inFlight: this.#inFlight.size, ...this.#memory.size };
  }

  /** Opens the stores that these policies will need, before the first request. */
  prepare(policies: readonly PortPolicies[]): void {
    if (policies.some(({ idempotency }) => idempotency?.store === "redis")) this.#options.sharedRecords();
  }

  /** Called from time to time. */
  forgetExpired(): void {
    this.#memory.forgetExpired();
  }

  refuse(
    response: ResponseSink,
    { name }: NamedIdempotencyRules,
    outcome: KeyedOutcome,
    code: ErrorCode,
    message = "",
  ): RequestSink {
    this.#options.counts.ended(name, outcome);
    response.abortResponse(new MeshError(code, message, unprocessed));
    return nowhere;
  }

  take(
    key: string,
    rules: NamedIdempotencyRules,
    next: Service,
    exchange: Exchange,
    response: ResponseSink,
  ): RequestSink {
    const name = nameOfKey(exchange.peer, key);
    const known = this.#inFlight.get(name);
    if (known !== undefined) return this.#repeat(known, rules)(exchange, response);
    const inFlight = new InFlight(name);
    this.#inFlight.set(name, inFlight);
    const held = new HeldRequest(exchange, response);
    const found = this.#storeOf(rules.store).claim(name, (later) => {
      if (held.gone) this.#dropUnused(later, inFlight);
      else held.release(this.#serviceFor(later, inFlight, rules, next));
    });
    // If the store answers at once, nothing needs to be held.
    return found === undefined ? held : this.#serviceFor(found, inFlight, rules, next)(exchange, response);
  }

  #storeOf(store: AnswerStore): RecordStore {
    return store === "memory" ? this.#memory : this.#options.sharedRecords();
  }

  #serviceFor(found: Found, inFlight: InFlight, rules: NamedIdempotencyRules, next: Service): Service {
    switch (found.kind) {
      case "claimed":
        return this.#firstTry(inFlight, found.claim, rules, "processed", next);
      case "recorded":
        this.#forget(inFlight);
        inFlight.settle({ kind: "answered", record: found.record });
        return this.#repeat(inFlight, rules);
      case "elsewhere":
        this.#watch(inFlight, found.poll);
        return this.#repeat(inFlight, rules);
      case "unavailable":
        if (rules.onStoreFailure === "allow") return this.#firstTry(inFlight, noClaim, rules, "unguarded", next);
        this.#forget(inFlight);
        inFlight.settle({ kind: "failed", error: storeFailed() });
        return (_exchange, response) => this.refuse(response, rules, "store_failed", "idempotency_store_failed");
    }
  }

  /** The caller left while the store was being asked. */
  #dropUnused(found: Found, inFlight: InFlight): void {
    if (found.kind === "claimed") found.claim.release();
    if (found.kind === "elsewhere" && inFlight.repeats > 0) return this.#watch(inFlight, found.poll);
    this.#forget(inFlight);
    if (found.kind === "recorded") inFlight.settle({ kind: "answered", record: found.record });
    else inFlight.settle({ kind: "failed", error: neverSent() });
  }

  #watch(inFlight: InFlight, poll: Poll): void {
    const watch = new Watch(inFlight, poll, this.#options.wheel, () => this.#forget(inFlight));
    inFlight.onAlone = () => {
      watch.stop();
      this.#forget(inFlight);
    };
    watch.start();
  }

  #firstTry(
    inFlight: InFlight,
    claim: Claim,
    rules: NamedIdempotencyRules,
    outcome: KeyedOutcome,
    next: Service,
  ): Service {
    const { wheel, counts } = this.#options;
    return (exchange, response) => {
      counts.ended(rules.name, outcome);
      const first = new FirstTry(
        exchange,
        response,
        { inFlight, claim, rules },
        {
          wheel,
          budget: this.#budget,
          detachedMs,
          mayDetach: () => this.#mayDetach(),
          over: (answer, wasDetached) => {
            if (wasDetached) this.#detached--;
            this.#forget(inFlight);
            counts.answered(rules.name, answer);
          },
        },
      );
      first.attach(next(exchange, first));
      return first;
    };
  }

  #repeat(inFlight: InFlight, rules: NamedIdempotencyRules): Service {
    const { wheel, counts } = this.#options;
    const ended = (outcome: RepeatOutcome) => counts.ended(rules.name, outcome);
    return (exchange, response) => new Repeat(exchange, response, inFlight, { wheel, waitMs, ended });
  }

  #mayDetach(): boolean {
    if (this.#detached >= maxDetached) return false;
    this.#detached++;
    return true;
  }

  #forget(inFlight: InFlight): void {
    if (this.#inFlight.get(inFlight.name) === inFlight) this.#inFlight.delete(inFlight.name);
  }
}

const unprocessed = { processed: "unprocessed" } as const;
const noClaim: Claim = { keep() {}, release() {} };

function storeFailed(): MeshError {
  return new MeshError("idempotency_store_failed", "", unprocessed);
}

/** Over the mesh link this becomes REFUSED_STREAM, and the request is tried again. */
function neverSent(): MeshError {
  return new MeshError("refused_stream", "the request that it repeats was never sent", unprocessed);
}
