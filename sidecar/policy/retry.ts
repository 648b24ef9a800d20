/**
 * Retries a request if the policy, the budget and the request itself allow it. `model/retry-verdict.ts` judges; this layer
 * keeps what was sent, waits between tries, and passes the one response that counts to the caller.
 *
 * ```
 *              send                          head, or failed before it
 *   waiting ─────────▶ trying(Try) ──────────────▶ settled: all passes through
 *      ▲                   │
 *      └───────────────────┘ verdict: retry, and the budget allows
 * ```
 * A try that was given up is recognised by not being the current one; anything that still comes from it is dropped.
 *
 * Hot path: nearly every request has one try, so the request's object is its first try too.
 */

import type { Clock, Random } from "../../model/clock.ts";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import type { RetryPolicy } from "../../model/policy.ts";
import { parseRetryAfter } from "../../model/retry-after.ts";
import type { RetryBudget } from "../../model/retry-budget.ts";
import {
  isSettledForAll,
  type RetryRefusal,
  type RetryVerdict,
  reachedNobody,
  retryVerdict,
} from "../../model/retry-verdict.ts";
import type { TryOutcome } from "../../model/try-outcome.ts";
import { Deadline } from "../net/deadline.ts";
import type { Exchange, Layer, RequestSink, ResponseHead, ResponseSink, Service } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { nowhere } from "../net/pass-through.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { grpcStatusIn, grpcStatusOf, isGrpc } from "./grpc.ts";

/** A request's body is kept up to this size while it streams; a larger one is sent only once. */
const keptBodyBytes = 64 * 1024;
/** All requests of one caller's connection together keep no more than this. */
const keptConnectionBytes = 1024 * 1024;
/** When a try is given up, the rest of its response is read up to this size, so that its connection can be reused … */
const swallowedBytes = 64 * 1024;
/** … and for no longer than this. */
const swallowMs = 1_000;

export interface RetryCounts {
  retried(reason: string): void;
  notRetried(reason: RetryRefusal): void;
}

/** Counts how tries end, first tries and retries, once each. */
export interface TryCounts {
  answered(status: number, grpcStatus: number | undefined): void;
  failed(code: ErrorCode): void;
  /** The try was given up, by the caller or for another try. */
  abandoned(): void;
}

export interface RetryOptions {
  /** Undefined: only requests that certainly were not processed are tried once more. */
  readonly policy: RetryPolicy | undefined;
  readonly budget: RetryBudget;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  readonly random: Random;
  /** Wall-clock time in ms since 1970, for a `Retry-After` that is a date. */
  readonly unixNow: () => number;
  readonly counts: RetryCounts;
  readonly tries: TryCounts;
}

export function retry(options: RetryOptions): Layer {
  return (next) => (exchange, response) => {
    const retrying = new Retrying(exchange, response, next, options);
    // A retry by a hop above is not a first try here, or budgets would add up along the chain.
    if (exchange.callerAttempt === 1) options.budget.recordFirstTry();
    retrying.send();
    return retrying;
  };
}

/**
 * One try. It passes its response up as long as it is the current one. If it is given up after the whole request was sent, the
 * rest of its response is read for a while, so that its connection can be reused; otherwise, or beyond that, it is aborted.
 */
abstract class Try implements ResponseSink {
  protected abstract readonly request: Retrying;
  /** Undefined: the service has not returned yet, or the try is over. */
  sentTo: RequestSink | undefined;
  #status = 0;
  #grpcStatus: number | undefined;
  #counted = false;
  #aborted = false;
  #swallowed = 0;
  /** Armed while the rest of an unwanted response is read. */
  #swallowing: Deadline | undefined;

  giveUp(): void {
    const { sentTo } = this;
    this.#forget();
    if (sentTo === undefined || this.#aborted) return;
    this.countAbandoned();
    sentTo.abortRequest(givenUp);
  }

  countAbandoned(): void {
    if (!this.#counted) this.request.options.tries.abandoned();
    this.#counted = true;
  }

  informational(head: ResponseHead): void {
    if (this.request.isCurrent(this)) this.request.above.informational(head);
  }

  head(head: ResponseHead): void {
    const { request } = this;
    this.#status = head.status;
    if (head.bodyless) this.#grpcStatus = grpcStatusOf(head);
    if (!request.isCurrent(this)) return;
    const surelyFine = head.status < 400 && !head.headers.has("grpc-status");
    if (!surelyFine && request.triesAgainAfter(request.outcomeOf(head))) return this.#swallow();
    request.settle();
    if (request.exchange.attempt > 1) head.headers.set("tulle-retried", String(request.exchange.attempt - 1));
    request.above.head(head);
  }

  writeResponse(chunk: Buffer): boolean {
    if (this.request.isCurrent(this)) return this.request.above.writeResponse(chunk);
    this.#swallowed += chunk.length;
    if (this.#swallowed > swallowedBytes) this.giveUp();
    return true;
  }

  endResponse(trailers?: HeaderFields): void {
    const { tries } = this.request.options;
    if (!this.#counted) tries.answered(this.#status, grpcStatusIn(trailers) ?? this.#grpcStatus);
    this.#counted = true;
    if (this.request.isCurrent(this)) this.request.above.endResponse(trailers);
    else this.#forget();
  }

  abortResponse(error: MeshError): void {
    const { request } = this;
    if (!this.#counted) request.options.tries.failed(error.code);
    this.#counted = true;
    this.#aborted = true;
    if (!request.isCurrent(this)) return this.#forget();
    const outcome: TryOutcome = { kind: "failure", code: error.code, processed: error.processed };
    if (request.isSettled) request.cut(error);
    else if (!request.triesAgainAfter(outcome)) request.fail(error);
  }

  resumeRequest(): void {
    if (this.request.isCurrent(this)) this.request.above.resumeRequest();
  }

  #swallow(): void {
    if (this.sentTo === undefined) return;
    this.#swallowing = new Deadline(() => this.giveUp());
    this.request.options.wheel.arm(this.#swallowing, swallowMs);
  }

  #forget(): void {
    if (this.#swallowing !== undefined) this.request.options.wheel.clear(this.#swallowing);
    this.sentTo = undefined;
  }
}

/** A request, and its first try. */
class Retrying extends Try implements RequestSink {
  protected readonly request: Retrying = this;
  readonly exchange: Exchange;
  readonly above: ResponseSink;
  readonly options: RetryOptions;
  readonly #service: Service;
  #current: Try | undefined;
  #below: RequestSink | undefined;
  #kept: Buffer[] | undefined;
  #keptBytes = 0;
  #keeping = true;
  #settled = false;
  #ended = false;
  #trailers: HeaderFields | undefined;
  /** Armed between two tries. */
  #wait: Deadline | undefined;

  constructor(exchange: Exchange, above: ResponseSink, service: Service, options: RetryOptions) {
    super();
    this.exchange = exchange;
    this.above = above;
    this.#service = service;
    this.options = options;
    exchange.attempt = 0;
  }

  send(): void {
    const { exchange } = this;
    const attempt = ++exchange.attempt;
    const along = Math.max(attempt, exchange.callerAttempt);
    if (along > 1) exchange.headers.set("tulle-attempt", String(along));
    exchange.backend = undefined;
    exchange.endpoint = undefined;
    exchange.overMutualTls = undefined;
    exchange.breakerState = undefined;
    exchange.knownBy = undefined;
    const current = attempt === 1 ? this : new LaterTry(this);
    this.#current = current;
    const below = this.#service(exchange, current);
    current.sentTo = below;
    const kept = this.#kept ?? nothing;
    let takesMore = true;
    for (let i = 0; i < kept.length && this.#current === current; i++) {
      takesMore = below.writeRequest(kept[i] as Buffer); // what comes meanwhile is kept behind it, and has its turn
    }
    // It failed, was given up, or lost its caller while the body was being sent.
    if (this.#current !== current) return current.giveUp();
    this.#below = below;
    if (!this.#keeping || !this.#mayKeep(0)) this.#stopKeeping();
    if (this.#ended) below.endRequest(this.#trailers);
    else if (takesMore && kept.length > 0) this.above.resumeRequest();
  }

  isCurrent(aTry: Try): boolean {
    return this.#current === aTry;
  }

  /** Returns true if another try follows and this one is given up. */
  triesAgainAfter(outcome: TryOutcome): boolean {
    const verdict = this.#judge(outcome);
    if (!verdict.retry) {
      if (verdict.because !== "succeeded") this.#refuseRetry(verdict.because, outcome);
      return false;
    }
    this.exchange.retryReason = verdict.reason;
    if (this.exchange.endpoint !== undefined) (this.exchange.tried ??= []).push(this.exchange.endpoint);
    if (outcome.kind === "failure" && outcome.processed === "maybe") stayWhereItIsKnown(this.exchange);
    const former = this.#current;
    this.#current = undefined;
    this.#below = undefined;
    if (!this.#ended) former?.giveUp();
    if (verdict.delayMs <= 0) this.#retry();
    else {
      this.#wait ??= new Deadline(() => this.#retry());
      this.options.wheel.arm(this.#wait, verdict.delayMs);
    }
    return true;
  }

  #retry(): void {
    this.options.counts.retried(this.exchange.retryReason ?? "");
    this.send();
  }

  #refuseRetry(because: RetryRefusal, outcome: TryOutcome): void {
    const { attempt, origin } = this.exchange;
    this.options.counts.notRetried(because);
    if (isSettledForAll(because, attempt, outcome)) origin?.retriedBelow(attempt - 1);
  }

  /** The current try's response is final: nothing is kept or judged any more. */
  settle(): void {
    this.#settled = true;
    this.#stopKeeping();
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  /** The current try failed after its response had begun to go to the caller. */
  cut(error: MeshError): void {
    this.options.counts.notRetried("answer_begun");
    this.fail(error);
  }

  /** The current try failed for good. If it reached nobody, an earlier try may still have. */
  fail(error: MeshError): void {
    this.#current = undefined;
    this.#below = nowhere;
    this.#stopKeeping();
    const mayBeDone = this.exchange.onlyEndpoint !== undefined && error.processed === "unprocessed";
    this.above.abortResponse(mayBeDone ? new MeshError("ambiguous", error.message, { cause: error }) : error);
  }

  /** Between two tries nobody else can take a chunk, so it is kept whatever its size. */
  writeRequest(chunk: Buffer): boolean {
    const below = this.#below;
    if (below !== undefined && !this.#mayKeep(chunk.length)) this.#stopKeeping();
    if (below === undefined || this.#keeping) {
      (this.#kept ??= []).push(Buffer.from(chunk));
      this.#count(chunk.length);
    }
    return below?.writeRequest(chunk) ?? false;
  }

  endRequest(trailers?: HeaderFields): void {
    this.#ended = true;
    this.#trailers = trailers;
    this.#below?.endRequest(trailers);
  }

  abortRequest(error: MeshError): void {
    if (this.#current === undefined && this.#below === undefined) this.options.counts.notRetried("abandoned");
    if (this.#wait !== undefined) this.options.wheel.clear(this.#wait);
    const current = this.#current;
    const below = this.#below;
    this.#current = undefined;
    this.#below = nowhere;
    this.#stopKeeping();
    if (below === undefined) return; // whoever is sending it gives it up
    current?.countAbandoned();
    below.abortRequest(error);
  }

  resumeResponse(): void {
    this.#below?.resumeResponse();
  }

  /** While a try is being sent, the chunks that it has not been sent yet are kept. */
  #stopKeeping(): void {
    this.#keeping = false;
    if (this.#below === undefined) return;
    this.#kept = undefined;
    this.#count(-this.#keptBytes);
  }

  #mayKeep(moreBytes: number): boolean {
    if (this.#keptBytes + moreBytes > keptBodyBytes) return false;
    const ofConnection = this.exchange.keptBodies;
    return ofConnection === undefined || ofConnection.bytes + moreBytes <= keptConnectionBytes;
  }

  #count(bytes: number): void {
    this.#keptBytes += bytes;
    if (this.exchange.keptBodies !== undefined) this.exchange.keptBodies.bytes += bytes;
  }

  #judge(outcome: TryOutcome): RetryVerdict {
    const { exchange } = this;
    const { policy, budget, random, clock } = this.options;
    const request = {
      method: exchange.upgrade === undefined ? exchange.method : "CONNECT",
      grpc: isGrpc(exchange),
      idempotencyKey: exchange.knownBy !== undefined,
      bodyReplayable: this.#keeping,
      remainingMs: exchange.deadlineAtMs - clock.now(),
    };
    const verdict = retryVerdict(policy, request, exchange.attempt, outcome, random);
    if (!verdict.retry || reachedNobody(outcome) || budget.tryWithdraw()) return verdict;
    return { retry: false, because: "retry_budget_exhausted" };
  }

  outcomeOf(head: ResponseHead): TryOutcome {
    const grpcStatus = grpcStatusOf(head);
    const retryAfter = head.headers.get("retry-after");
    const retryAfterMs = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter, this.options.unixNow());
    return {
      kind: "answer",
      status: head.status,
      retriedBelow: head.headers.has("tulle-retried"),
      ...(grpcStatus !== undefined && { grpcStatus }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }
}

/** Any try after the first. */
class LaterTry extends Try {
  protected readonly request: Retrying;

  constructor(request: Retrying) {
    super();
    this.request = request;
  }
}

/** If each pod keeps its own answers, only the last try's pod can tell whether the request was processed. */
function stayWhereItIsKnown(exchange: Exchange): void {
  const { knownBy, endpoint } = exchange;
  if (knownBy?.store !== "memory" || endpoint === undefined) return;
  exchange.onlyEndpoint = { backend: knownBy.backend, address: endpoint };
}

const nothing: readonly Buffer[] = [];
const givenUp = new MeshError("upstream_reset", "the try was given up for another");
