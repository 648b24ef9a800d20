/**
 * One backend Service port: follows its `Endpoints` resource and sends each request to one of them.
 * The balancer replaces the picker; the picker is a snapshot.
 */

import { isDeepStrictEqual } from "node:util";
import { mayOpen } from "../../model/circuit-breaker.ts";
import type { Clock, Random } from "../../model/clock.ts";
import { chooseEndpoints, type Place } from "../../model/endpoint-choice.ts";
import { MeshError } from "../../model/errors.ts";
import type { CircuitBreakerPolicy } from "../../model/policy.ts";
import type { Endpoint, Endpoints } from "../../model/resources.ts";
import { Breakers } from "../breaker/breakers.ts";
import type { Exchange, RequestSink, ResponseSink, Service } from "../net/exchange.ts";
import { HeldRequest } from "../net/held-request.ts";
import { nowhere } from "../net/pass-through.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import { Affinity } from "./affinity.ts";
import { LiveEndpoint } from "./live-endpoint.ts";
import { type Pick, Picker } from "./picker.ts";

export interface BackendOptions {
  /** Where this sidecar runs. */
  readonly place: Place;
  /** Reaches one endpoint: a mesh link, or a connection in the clear. */
  readonly dial: (endpoint: Endpoint, backend: Endpoints) => Service;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  /** `endpoint` is its address, or `*` for a breaker that all share. */
  readonly onBreakerTransition: (backend: string, endpoint: string, to: string) => void;
}

/** How long a request waits to be told the endpoints. */
const firstAnswerMs = 1_000;
/** For `Retry-After` where all that is known is that a probe is out. */
const probeAnswerMs = 1_000;

/** Its timer is armed while requests wait for the control plane to tell the endpoints. */
export class Backend extends Timer {
  readonly name: string;
  readonly #options: BackendOptions;
  #endpoints = new Map<string, LiveEndpoint>();
  /** Undefined until the control plane has told who the endpoints are. */
  #picker: Picker | undefined;
  readonly #affinity: Affinity;
  /** Undefined: each request goes where it is cheapest. */
  #affinityMs: number | undefined;
  #breakers: Breakers | undefined;
  #held: HeldRequest[] = [];

  constructor(name: string, options: BackendOptions) {
    super();
    this.name = name;
    this.#options = options;
    this.#affinity = new Affinity(options.clock);
  }

  get liveEndpoints(): Iterable<LiveEndpoint> {
    return this.#endpoints.values();
  }

  /** Undefined: the control plane knows no such backend, which is the same as one without endpoints. */
  apply(backend: Endpoints | undefined): void {
    const endpoints = new Map<string, LiveEndpoint>();
    for (const endpoint of backend?.endpoints ?? []) {
      const key = `${endpoint.address} ${endpoint.identity}`;
      const live = this.#endpoints.get(key) ?? this.#live(endpoint, backend as Endpoints);
      live.endpoint = endpoint;
      live.warmUpMs = backend?.warmUpMs ?? 0;
      endpoints.set(key, live);
    }
    this.#endpoints = endpoints;
    this.#applyBreaker(backend?.breaker);
    this.#applyChoice(backend);
    this.#options.wheel.clear(this);
    for (const held of this.#held.splice(0)) held.release(this.service);
  }

  /** No answer from the control plane. */
  override expire(): void {
    this.#refuseHeld("its endpoints are not known yet");
  }

  /** Nobody follows its endpoints any more. */
  close(): void {
    this.#options.wheel.clear(this);
    this.#refuseHeld("it is not followed any more");
  }

  readonly service: Service = (exchange: Exchange, response: ResponseSink): RequestSink => {
    if (this.#picker === undefined) return this.#hold(exchange, response);
    const pick = this.#pick(this.#picker, exchange.tried);
    switch (pick.kind) {
      case "picked":
        return pick.endpoint.send(exchange, response, pick.permit);
      case "no-permit":
        return refuse(response, this.#whyNobody());
      case "none":
        return refuse(response, new MeshError("no_endpoints", this.name, unprocessed));
    }
  };

  /** A retry goes elsewhere if it can, and the session stays where it is. */
  #pick(picker: Picker, tried: readonly string[] | undefined): Pick {
    if (this.#affinityMs === undefined || tried !== undefined) return picker.pick(tried);
    const endpoint = this.#affinity.current(this.#affinityMs);
    const permit = endpoint?.admit();
    const pick: Pick = endpoint && permit ? { kind: "picked", endpoint, permit } : picker.pick(tried);
    if (pick.kind === "picked") this.#affinity.keep(pick.endpoint);
    return pick;
  }

  #hold(exchange: Exchange, response: ResponseSink): RequestSink {
    const held = new HeldRequest(exchange, response);
    if (this.#held.push(held) === 1) this.#options.wheel.arm(this, firstAnswerMs);
    return held;
  }

  #refuseHeld(why: string): void {
    for (const held of this.#held.splice(0)) {
      held.refuse(new MeshError("no_policy_yet", `${this.name}: ${why}`, unprocessed));
    }
  }

  #live(endpoint: Endpoint, backend: Endpoints): LiveEndpoint {
    const { clock, dial } = this.#options;
    return new LiveEndpoint(endpoint, dial(endpoint, backend), clock, this.#picker !== undefined);
  }

  #applyChoice(backend: Endpoints | undefined): void {
    const { place, random } = this.#options;
    const all = [...this.#endpoints.values()];
    const choice = chooseEndpoints(all, backend?.nodeLocal ?? false, place, ({ endpoint }) => endpoint);
    this.#picker = new Picker(choice, random);
    this.#affinityMs = backend?.affinityMs;
    this.#affinity.retain([...choice.preferred, ...choice.others]);
  }

  #applyBreaker(policy: CircuitBreakerPolicy | undefined): void {
    if (!isDeepStrictEqual(policy, this.#breakers?.policy)) {
      const { clock, onBreakerTransition } = this.#options;
      const onTransition = (endpoint: string, to: string) => onBreakerTransition(this.name, endpoint, to);
      this.#breakers = policy && new Breakers(policy, { clock, onTransition, mayOpen: () => this.#mayOneMoreOpen() });
    }
    for (const endpoint of this.#endpoints.values()) endpoint.applyBreaker(this.#breakers);
  }

  /** Full, if it is only that: who is full now is asked again sooner than whose breaker is open. */
  #whyNobody(): MeshError {
    for (const { isFull, breakerState } of this.#endpoints.values()) {
      if (!isFull || breakerState === "open") continue;
      return new MeshError("overloaded", `${this.name}: every endpoint has its maxRequests`, unprocessed);
    }
    return new MeshError("circuit_open", this.name, { ...unprocessed, retryAfterMs: this.#nextProbeInMs() });
  }

  #mayOneMoreOpen(): boolean {
    let out = 0;
    for (const { breakerState } of this.#endpoints.values()) if (breakerState !== "closed") out++;
    return mayOpen(out, this.#endpoints.size, this.#breakers?.policy.maxOpenPercent ?? 100);
  }

  #nextProbeInMs(): number {
    let untilMs = Number.POSITIVE_INFINITY;
    for (const { breakerOpenUntilMs } of this.#endpoints.values()) {
      untilMs = Math.min(untilMs, breakerOpenUntilMs ?? Number.POSITIVE_INFINITY);
    }
    return Number.isFinite(untilMs) ? Math.max(0, untilMs - this.#options.clock.now()) : probeAnswerMs;
  }
}

const unprocessed = { processed: "unprocessed" } as const;

function refuse(response: ResponseSink, error: MeshError): RequestSink {
  response.abortResponse(error);
  return nowhere;
}
