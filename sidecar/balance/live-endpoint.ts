/**
 * One endpoint as this sidecar knows it: how to reach it, how loaded it is, and whether its breaker admits a request.
 * It lives on across updates that leave its address and identity alone.
 */

import type { CircuitBreaker, Permit } from "../../model/circuit-breaker.ts";
import type { Clock } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import type { Endpoint } from "../../model/resources.ts";
import type { Breakers } from "../breaker/breakers.ts";
import { Judgement } from "../breaker/judgement.ts";
import { wrongPodIn } from "../mesh-link/target.ts";
import type { Exchange, RequestSink, ResponseHead, ResponseSink, Service } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";
import { keepBinding } from "../policy/bound-connections.ts";
import { isGrpc } from "../policy/grpc.ts";
import { PeakEwma } from "./peak-ewma.ts";

/** Never less than this, since nothing warms up without requests. */
const minWarmth = 0.1;

export interface LiveEndpointOptions {
  readonly clock: Clock;
  /** Whether it appeared while this sidecar was running, and so may have to warm up. */
  readonly isNew: boolean;
  /** Called when a request has ended. */
  readonly onRoom: () => void;
}

export class LiveEndpoint {
  /** As last received; its address and identity never change. */
  endpoint: Endpoint;
  readonly service: Service;
  readonly load: PeakEwma;
  /** How long a slow start lasts; 0: there is none. */
  warmUpMs = 0;
  readonly clock: Clock;
  readonly #onRoom: () => void;
  /** Requests in progress that occupy a connection to the application each. */
  #connections = 0;
  /** Undefined: it existed before this sidecar, or is warm. */
  #newSinceMs: number | undefined;
  #breaker: CircuitBreaker | undefined;
  #breakers: Breakers | undefined;

  constructor(endpoint: Endpoint, service: Service, { clock, isNew, onRoom }: LiveEndpointOptions) {
    this.endpoint = endpoint;
    this.service = service;
    this.load = new PeakEwma(clock);
    this.clock = clock;
    this.#onRoom = onRoom;
    if (isNew) this.#newSinceMs = clock.now();
  }

  /** The share of its usual requests that it should get now: it rises evenly to 1 over `warmUpMs`. */
  get warmth(): number {
    if (this.#newSinceMs === undefined || this.warmUpMs === 0) return 1;
    const share = (this.clock.now() - this.#newSinceMs) / this.warmUpMs;
    if (share >= 1) this.#newSinceMs = undefined;
    return Math.min(1, Math.max(minWarmth, share));
  }

  /** Undefined: no policy asks for a breaker. If the breakers are the same as before, it keeps its state. */
  applyBreaker(breakers: Breakers | undefined): void {
    if (breakers === this.#breakers) return;
    this.#breakers = breakers;
    this.#breaker = breakers?.of(this.endpoint.address);
  }

  get breakerState(): "closed" | "open" | "half-open" | undefined {
    return this.#breaker?.state.kind;
  }

  /** When an open breaker admits its next probe, on the sidecar's clock. */
  get breakerOpenUntilMs(): number | undefined {
    return this.#breaker?.openUntilMs;
  }

  /** Whether its breaker waits for a probe. */
  get awaitsProbe(): boolean {
    return this.#breaker?.awaitsProbe === true;
  }

  /** The policy's limit that a request would exceed; undefined: there is room. `connects`: the request occupies a connection. */
  fullBy(connects: boolean): "maxRequests" | "maxConnections" | undefined {
    if (this.#breakers === undefined) return undefined;
    const { maxRequests, maxConnections } = this.#breakers.policy;
    if (maxRequests !== undefined && this.load.pending >= maxRequests) return "maxRequests";
    if (connects && maxConnections !== undefined && this.#connections >= maxConnections) return "maxConnections";
    return undefined;
  }

  /** Undefined: it admits no request now. `unlimited` if no policy asks for a breaker. */
  admit(connects: boolean): Permit | undefined {
    if (this.#breaker === undefined) return unlimited;
    return this.fullBy(connects) === undefined ? this.#breaker.admit() : undefined;
  }

  send(exchange: Exchange, response: ResponseSink, permit: Permit, connects: boolean): RequestSink {
    exchange.endpoint = this.endpoint.address;
    exchange.overMutualTls = this.endpoint.identity !== undefined;
    exchange.breakerState = this.#breaker?.state.kind;
    const failures = this.#breakers?.policy.failures;
    const judgement =
      failures === undefined || permit === unlimited ? undefined : new Judgement(permit, failures, isGrpc(exchange));
    const dispatch = new Dispatch(exchange, response, this, judgement, connects);
    dispatch.attach(this.service(exchange, dispatch));
    return dispatch;
  }

  /** A request has been sent here. */
  begin(connects: boolean): void {
    this.load.begin();
    if (connects) this.#connections++;
  }

  /** A request has ended, so there may be room for another. */
  end(connects: boolean): void {
    this.load.end();
    if (connects) this.#connections--;
    this.#onRoom();
  }
}

/**
 * One try at one endpoint: reports to the load and the breaker how it went, exactly once each, and understands what a peer's
 * sidecar says about itself.
 */
class Dispatch extends PassThrough {
  readonly #exchange: Exchange;
  readonly #endpoint: LiveEndpoint;
  readonly #judgement: Judgement | undefined;
  readonly #connects: boolean;
  readonly #startMs: number;
  #observed = false;
  #over = false;

  constructor(
    exchange: Exchange,
    above: ResponseSink,
    endpoint: LiveEndpoint,
    judgement: Judgement | undefined,
    connects: boolean,
  ) {
    super(above);
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    this.#judgement = judgement;
    this.#connects = connects;
    this.#startMs = endpoint.clock.now();
    endpoint.begin(connects);
  }

  override head(head: ResponseHead): void {
    const { address, identity } = this.#endpoint.endpoint;
    if (identity !== undefined) {
      const error = wrongPodIn(head);
      if (error !== undefined) return this.#breakOff(error);
      keepBinding(this.#exchange, address, head);
    }
    this.#observe(head.status >= 500);
    this.#judgement?.head(head);
    this.above.head(head);
  }

  override writeResponse(chunk: Buffer): boolean {
    if (chunk.length > 0) this.#judgement?.begun();
    return this.above.writeResponse(chunk);
  }

  override endResponse(trailers?: HeaderFields): void {
    this.#judgement?.end(trailers);
    this.#end();
    this.above.endResponse(trailers);
  }

  override abortResponse(error: MeshError): void {
    this.#settle(error);
    super.abortResponse(error);
  }

  override abortRequest(error: MeshError): void {
    if (!this.#observed) this.#endpoint.load.observeAtLeast(this.#tookMs());
    this.#observed = true;
    this.#judgement?.abandon(error);
    this.#end();
    super.abortRequest(error);
  }

  #breakOff(error: MeshError): void {
    const { above, below } = this;
    this.leave();
    below?.abortRequest(error);
    this.#settle(error);
    above.abortResponse(error);
  }

  #settle(error: MeshError): void {
    this.#observe(true);
    this.#judgement?.fail(error);
    this.#end();
  }

  #tookMs(): number {
    return this.#endpoint.clock.now() - this.#startMs;
  }

  #observe(failed: boolean): void {
    if (!this.#observed) this.#endpoint.load.observe(this.#tookMs(), failed);
    this.#observed = true;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#endpoint.end(this.#connects);
  }
}

const unlimited: Permit = { succeed() {}, fail() {}, abandon() {} };
