/**
 * One endpoint as this sidecar knows it: how to reach it, how loaded it is, and whether its breaker admits a request.
 * It lives on across updates that leave its address and identity alone.
 */

import { CircuitBreaker, type Permit } from "../../model/circuit-breaker.ts";
import type { Clock } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import { failureOf } from "../../model/failure-of.ts";
import type { CircuitBreakerPolicy, FailureKind } from "../../model/policy.ts";
import type { Endpoint } from "../../model/resources.ts";
import type { TryOutcome } from "../../model/try-outcome.ts";
import type { Exchange, RequestSink, ResponseHead, ResponseSink, Service } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";
import { grpcStatusOf, isGrpc } from "../policy/grpc.ts";
import { PeakEwma } from "./peak-ewma.ts";

export interface LiveEndpointOptions {
  readonly clock: Clock;
  readonly onBreakerTransition: (endpoint: Endpoint, to: string) => void;
  /** Whether one more of the service's breakers may open. */
  readonly mayOpen: () => boolean;
}

export class LiveEndpoint {
  /** As last told; its address and identity never change. */
  endpoint: Endpoint;
  readonly service: Service;
  readonly load: PeakEwma;
  readonly #options: LiveEndpointOptions;
  #breaker: CircuitBreaker | undefined;
  #failures: readonly FailureKind[] = [];

  constructor(endpoint: Endpoint, service: Service, options: LiveEndpointOptions) {
    this.endpoint = endpoint;
    this.service = service;
    this.load = new PeakEwma(options.clock);
    this.#options = options;
  }

  /** Another policy starts with a closed breaker. */
  applyBreaker(policy: CircuitBreakerPolicy | undefined): void {
    const { clock, mayOpen, onBreakerTransition } = this.#options;
    this.#failures = policy?.failures ?? [];
    this.#breaker =
      policy && new CircuitBreaker(policy, clock, (_from, to) => onBreakerTransition(this.endpoint, to), mayOpen);
  }

  get breakerState(): "closed" | "open" | "half-open" | undefined {
    return this.#breaker?.state.kind;
  }

  /** When an open breaker admits its next probe, on the sidecar's clock. */
  get breakerOpenUntilMs(): number | undefined {
    return this.#breaker?.openUntilMs;
  }

  /** Undefined: not now. `unlimited` where no policy asks for a breaker. */
  admit(): Permit | undefined {
    return this.#breaker === undefined ? unlimited : this.#breaker.admit();
  }

  send(exchange: Exchange, response: ResponseSink, permit: Permit): RequestSink {
    exchange.endpoint = this.endpoint.address;
    const dispatch = new Dispatch(exchange, response, this.load, permit, this.#failures, this.#options.clock);
    dispatch.attach(this.service(exchange, dispatch));
    return dispatch;
  }
}

/** One try at one endpoint: tells the load and the breaker how it went, exactly once each. */
class Dispatch extends PassThrough {
  readonly #load: PeakEwma;
  readonly #failures: readonly FailureKind[];
  readonly #clock: Clock;
  readonly #startMs: number;
  /** gRPC tells how it went at the end only. */
  readonly #judgedAtEnd: boolean;
  #permit: Permit | undefined;
  #head: ResponseHead | undefined;
  #over = false;

  constructor(
    exchange: Exchange,
    above: ResponseSink,
    load: PeakEwma,
    permit: Permit,
    failures: readonly FailureKind[],
    clock: Clock,
  ) {
    super(above);
    this.#load = load;
    this.#permit = permit;
    this.#failures = failures;
    this.#clock = clock;
    this.#startMs = clock.now();
    this.#judgedAtEnd = isGrpc(exchange);
    load.begin();
  }

  override head(head: ResponseHead): void {
    this.#head = head;
    this.#load.observe(this.#clock.now() - this.#startMs, head.status >= 500);
    if (!this.#judgedAtEnd || head.status !== 200) this.#settle(outcomeOf(head, grpcStatusOf(head)));
    this.above.head(head);
  }

  override endResponse(trailers?: HeaderFields): void {
    if (this.#head !== undefined)
      this.#settle(outcomeOf(this.#head, grpcStatusIn(trailers) ?? grpcStatusOf(this.#head)));
    this.#end();
    this.above.endResponse(trailers);
  }

  override abortResponse(error: MeshError): void {
    this.#fail(error);
    super.abortResponse(error);
  }

  override abortRequest(error: MeshError): void {
    const isTimeout = failureOf(failure(error), ["timeout"]) !== undefined;
    if (isTimeout) this.#fail(error);
    this.#permit?.abandon();
    this.#permit = undefined;
    this.#end();
    super.abortRequest(error);
  }

  #fail(error: MeshError): void {
    if (this.#head === undefined && !this.#over) this.#load.observe(this.#clock.now() - this.#startMs, true);
    this.#settle(failure(error));
    this.#end();
  }

  #settle(outcome: TryOutcome): void {
    const permit = this.#permit;
    this.#permit = undefined;
    if (permit === undefined) return;
    if (failureOf(outcome, this.#failures) === undefined) permit.succeed();
    else permit.fail();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#load.end();
  }
}

const unlimited: Permit = { succeed() {}, fail() {}, abandon() {} };

function failure(error: MeshError): TryOutcome {
  return { kind: "failure", code: error.code, processed: error.processed };
}

function outcomeOf(head: ResponseHead, grpcStatus: number | undefined): TryOutcome {
  const answer = { kind: "answer", status: head.status, retriedBelow: false } as const;
  return grpcStatus === undefined ? answer : { ...answer, grpcStatus };
}

function grpcStatusIn(trailers: HeaderFields | undefined): number | undefined {
  const status = trailers?.get("grpc-status");
  return status === undefined ? undefined : Number(status);
}
