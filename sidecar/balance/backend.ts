/**
 * One backend Service port: follows its `Endpoints` resource and sends each request to one of them.
 * The balancer replaces the picker; the picker is a snapshot.
 */

import { mayOpen } from "../../model/circuit-breaker.ts";
import type { Clock, Random } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import type { CircuitBreakerPolicy } from "../../model/policy.ts";
import type { Endpoint, Endpoints } from "../../model/resources.ts";
import type { Exchange, RequestSink, ResponseSink, Service } from "../net/exchange.ts";
import { HeldRequest } from "../net/held-request.ts";
import { nowhere } from "../net/pass-through.ts";
import { LiveEndpoint } from "./live-endpoint.ts";
import { Picker } from "./picker.ts";

export interface BackendOptions {
  /** Reaches one endpoint: a mesh link, or a connection in the clear. */
  readonly dial: (endpoint: Endpoint, backend: Endpoints) => Service;
  readonly clock: Clock;
  readonly random: Random;
  readonly onBreakerTransition: (backend: string, endpoint: Endpoint, to: string) => void;
}

export class Backend {
  readonly name: string;
  readonly #options: BackendOptions;
  #endpoints = new Map<string, LiveEndpoint>();
  /** Undefined until the control plane has told who the endpoints are. */
  #picker: Picker | undefined;
  #breaker: CircuitBreakerPolicy | undefined;
  #held: HeldRequest[] = [];

  constructor(name: string, options: BackendOptions) {
    this.name = name;
    this.#options = options;
  }

  get liveEndpoints(): Iterable<LiveEndpoint> {
    return this.#endpoints.values();
  }

  /** Undefined: the control plane knows no such backend, which is the same as one without endpoints. */
  apply(backend: Endpoints | undefined): void {
    const before = this.#endpoints;
    const breakerChanged = JSON.stringify(backend?.breaker) !== JSON.stringify(this.#breaker);
    this.#breaker = backend?.breaker;
    this.#endpoints = new Map();
    for (const endpoint of backend?.endpoints ?? []) {
      const key = `${endpoint.address} ${endpoint.identity}`;
      const known = before.get(key);
      const live = known ?? this.#live(endpoint, backend as Endpoints);
      live.endpoint = endpoint;
      if (breakerChanged || known === undefined) live.applyBreaker(this.#breaker);
      this.#endpoints.set(key, live);
    }
    this.#picker = new Picker(this.#pickable(), this.#options.random);
    for (const held of this.#held.splice(0)) held.release(this.service);
  }

  /** The control plane does not answer: what waits is refused. */
  giveUpWaiting(error: MeshError): void {
    for (const held of this.#held.splice(0)) held.refuse(error);
  }

  readonly service: Service = (exchange: Exchange, response: ResponseSink): RequestSink => {
    if (this.#picker === undefined) {
      const held = new HeldRequest(exchange, response);
      this.#held.push(held);
      return held;
    }
    const pick = this.#picker.pick(exchange.tried);
    switch (pick.kind) {
      case "picked":
        return pick.endpoint.send(exchange, response, pick.permit);
      case "all-open":
        response.abortResponse(
          new MeshError("circuit_open", this.name, { processed: "unprocessed", retryAfterMs: this.#nextProbeInMs() }),
        );
        return nowhere;
      case "none":
        response.abortResponse(new MeshError("no_endpoints", this.name, { processed: "unprocessed" }));
        return nowhere;
    }
  };

  #live(endpoint: Endpoint, backend: Endpoints): LiveEndpoint {
    const { clock, dial, onBreakerTransition } = this.#options;
    return new LiveEndpoint(endpoint, dial(endpoint, backend), {
      clock,
      mayOpen: () => this.#mayOneMoreOpen(),
      onBreakerTransition: (of, to) => onBreakerTransition(this.name, of, to),
    });
  }

  /** Who is going away gets new requests only when there is nobody else. */
  #pickable(): LiveEndpoint[] {
    const all = [...this.#endpoints.values()];
    const ready = all.filter(({ endpoint }) => endpoint.state === "ready");
    return ready.length > 0 ? ready : all;
  }

  #mayOneMoreOpen(): boolean {
    let out = 0;
    for (const { breakerState } of this.#endpoints.values()) if (breakerState !== "closed") out++;
    return mayOpen(out, this.#endpoints.size, this.#breaker?.maxOpenPercent ?? 100);
  }

  #nextProbeInMs(): number {
    let untilMs = Number.POSITIVE_INFINITY;
    for (const { breakerOpenUntilMs } of this.#endpoints.values()) {
      untilMs = Math.min(untilMs, breakerOpenUntilMs ?? Number.POSITIVE_INFINITY);
    }
    return Number.isFinite(untilMs) ? Math.max(0, untilMs - this.#options.clock.now()) : 1_000;
  }
}
