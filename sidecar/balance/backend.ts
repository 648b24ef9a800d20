/**
 * One backend Service port: follows its `Endpoints` resource and sends each request to one of them.
 * The balancer replaces the picker; the picker is a snapshot.
 */

import { isDeepStrictEqual } from "node:util";
import { mayOpen } from "../../model/circuit-breaker.ts";
import type { Clock, Random } from "../../model/clock.ts";
import { chooseEndpoints, type Locality } from "../../model/endpoint-choice.ts";
import { MeshError } from "../../model/errors.ts";
import type { CircuitBreakerPolicy } from "../../model/policy.ts";
import type { Endpoint, Endpoints, Protocol } from "../../model/resources.ts";
import { Breakers } from "../breaker/breakers.ts";
import { PendingRequests } from "../breaker/pending-requests.ts";
import type { ClientConnection } from "../net/client-connection.ts";
import type { Exchange, KnownBy, RequestSink, ResponseSink, Service } from "../net/exchange.ts";
import { HeldRequest } from "../net/held-request.ts";
import { nowhere } from "../net/pass-through.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import { goesOverHttp2 } from "../upstream/plain-upstreams.ts";
import { Affinity } from "./affinity.ts";
import { FormerOwners, KeyOwners } from "./key-owners.ts";
import { LiveEndpoint } from "./live-endpoint.ts";
import { type Pick, Picker } from "./picker.ts";

/** A field of a CircuitBreaker that limits what is in progress. */
export type BreakerLimit = "maxRequests" | "maxConnections" | "maxPendingRequests";

export interface BackendOptions {
  /** The SPIFFE id of this workload. */
  readonly caller: string;
  /** The location of this sidecar. */
  readonly locality: Locality;
  /** Returns the way to one endpoint: a mesh link, or a connection in the clear. */
  readonly dial: (endpoint: Endpoint, backend: Endpoints) => Service;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  /** `endpoint`: its address, or `*` for a breaker that all endpoints share. */
  readonly onBreakerTransition: (backend: string, endpoint: string, to: string) => void;
  /** A request was refused because of a limit. */
  readonly onOverload: (backend: string, limit: BreakerLimit) => void;
}

/** How long a request waits for the control plane to name the endpoints. */
const firstAnswerMs = 1_000;
/** The `Retry-After` when it is only known that a probe is in progress. */
const probeAnswerMs = 1_000;

/** Its timer is armed while requests wait for the control plane to name the endpoints. */
export class Backend extends Timer {
  readonly name: string;
  readonly #options: BackendOptions;
  #endpoints = new Map<string, LiveEndpoint>();
  /** Undefined until the control plane has named the endpoints. */
  #picker: Picker | undefined;
  #protocol: Protocol = "detect";
  readonly #pending = new PendingRequests((first) => this.#admitWaiting(first));
  readonly #affinity: Affinity;
  /** Undefined: no session affinity; each request goes to the cheapest endpoint. */
  #affinityMs: number | undefined;
  /** Undefined: keys mean nothing to this backend. */
  #keys: KeyOwners | undefined;
  readonly #formerOwners = new FormerOwners();
  #knownBy: KnownBy | undefined;
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
    this.#protocol = backend?.protocol ?? "detect";
    this.#applyBreaker(backend?.breaker);
    this.#applyChoice(backend);
    this.#options.wheel.clear(this);
    for (const held of this.#held.splice(0)) held.release(this.service);
    this.#pending.advanceSoon();
  }

  /** The control plane has not answered in time. */
  override expire(): void {
    this.#refuseHeld("its endpoints are not known yet");
  }

  /** No destination uses this backend any more. */
  close(): void {
    this.#options.wheel.clear(this);
    this.#refuseHeld("it is not followed any more");
  }

  readonly service: Service = (exchange: Exchange, response: ResponseSink): RequestSink => {
    if (this.#picker === undefined) return this.#hold(exchange, response);
    const connects = this.#connects(exchange);
    // Requests that already wait come first.
    const pick = this.#pending.isEmpty ? this.#pick(this.#picker, exchange, connects) : undefined;
    if (pick?.kind === "picked") return pick.endpoint.send(exchange, response, pick.permit, connects);
    const limit = pick?.kind === "none" ? undefined : this.#fullBy(connects);
    if (limit === undefined && pick !== undefined) return refuse(response, this.#whyNobody(pick.kind, exchange));
    return this.#wait(exchange, response, limit ?? "maxPendingRequests");
  };

  /** Whether one of its endpoints was recently sent this key, and so may recognise it. */
  remembers(key: string): boolean {
    return this.#keys !== undefined && this.#formerOwners.has(key);
  }

  /** Requests that wait because every endpoint is full. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Whether a request occupies a connection to the application; asked only if connections are limited. */
  #connects(exchange: Exchange): boolean {
    if (this.#breakers?.policy.maxConnections === undefined) return false;
    const hasOwn = exchange.method === "CONNECT" || exchange.upgrade !== undefined;
    return hasOwn || !goesOverHttp2(exchange, this.#protocol);
  }

  #wait(exchange: Exchange, response: ResponseSink, limit: BreakerLimit): RequestSink {
    const most = this.#breakers?.policy.maxPendingRequests ?? 0;
    const waiting = this.#pending.join(exchange, response, most);
    if (waiting !== undefined) return waiting;
    const reached = most === 0 ? limit : "maxPendingRequests";
    this.#options.onOverload(this.name, reached);
    return refuse(response, new MeshError("overloaded", `${this.name}: ${reached} is reached`, unprocessed));
  }

  /** Returns false if there is still no room. */
  #admitWaiting(waiting: HeldRequest): boolean {
    if (this.#picker === undefined) return false;
    const connects = this.#connects(waiting.exchange);
    const pick = this.#pick(this.#picker, waiting.exchange, connects);
    if (pick.kind === "picked") {
      waiting.release((exchange, response) => pick.endpoint.send(exchange, response, pick.permit, connects));
      return true;
    }
    if (pick.kind === "no-permit" && this.#fullBy(connects) !== undefined) return false;
    waiting.refuse(this.#whyNobody(pick.kind, waiting.exchange));
    return true;
  }

  /**
   * An endpoint that knows the request comes first, by its connection or its key; then a retry goes elsewhere if it can, and a
   * session stays where it is.
   */
  #pick(picker: Picker, exchange: Exchange, connects: boolean): Pick {
    const { tried, onlyEndpoint } = exchange;
    if (onlyEndpoint !== undefined) return admitted(this.#at(onlyEndpoint.address), connects);
    const own = tried === undefined ? this.#boundTo(exchange.client) : undefined;
    if (own !== undefined) return admitted(own, connects);
    const key = this.#keys?.keyOf(exchange);
    if (key !== undefined && this.#keys !== undefined)
      return this.#pickKeyed(picker, this.#keys, key, exchange, connects);
    if (this.#affinityMs === undefined || tried !== undefined) return picker.pick(tried, connects);
    const endpoint = this.#affinity.current(this.#affinityMs);
    const permit = endpoint?.admit(connects);
    const pick: Pick = endpoint && permit ? { kind: "picked", endpoint, permit } : picker.pick(tried, connects);
    if (pick.kind === "picked") this.#affinity.keep(pick.endpoint);
    return pick;
  }

  #pickKeyed(picker: Picker, keys: KeyOwners, key: string, exchange: Exchange, connects: boolean): Pick {
    exchange.knownBy = this.#knownBy;
    const { tried } = exchange;
    const pick =
      keys.store === "memory" ? admitted(this.#ownerOf(keys, key, tried), connects) : picker.pick(tried, connects);
    if (pick.kind === "picked") this.#formerOwners.keep(key, pick.endpoint);
    return pick;
  }

  /**
   * The endpoint that was sent the key before, even if it is terminating; but if it is, and was tried in vain, the endpoint that
   * owns the key now.
   */
  #ownerOf(keys: KeyOwners, key: string, tried: readonly string[] | undefined): LiveEndpoint | undefined {
    const former = this.#formerOwners.of(key);
    if (former === undefined) return keys.ownerOf(key);
    const { state, address } = former.endpoint;
    return state === "terminating" && tried?.includes(address) ? keys.ownerOf(key) : former;
  }

  /** The endpoint that knows the client by its connection, if it still exists. */
  #boundTo(client: ClientConnection | undefined): LiveEndpoint | undefined {
    if (client?.bindings === undefined) return undefined;
    for (const address of client.bindings.keys()) {
      const live = this.#at(address);
      if (live !== undefined) return live;
    }
    return undefined;
  }

  #at(address: string): LiveEndpoint | undefined {
    for (const live of this.#endpoints.values()) if (live.endpoint.address === address) return live;
    return undefined;
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
    const onRoom = () => this.#pending.advanceSoon();
    return new LiveEndpoint(endpoint, dial(endpoint, backend), { clock, isNew: this.#picker !== undefined, onRoom });
  }

  #applyChoice(backend: Endpoints | undefined): void {
    const { caller, locality, random } = this.#options;
    const all = [...this.#endpoints.values()];
    const choice = chooseEndpoints(all, backend?.nodeLocal ?? false, locality, ({ endpoint }) => endpoint);
    this.#picker = new Picker(choice, random);
    this.#affinityMs = backend?.affinityMs;
    const chosen = [...choice.preferred, ...choice.others];
    this.#affinity.retain(chosen);
    this.#formerOwners.retain(new Set(all));
    const keys = backend?.idempotency;
    this.#keys = keys && new KeyOwners(keys, caller, chosen);
    this.#knownBy = keys && { store: keys.store, backend: this.name };
  }

  #applyBreaker(policy: CircuitBreakerPolicy | undefined): void {
    if (!isDeepStrictEqual(policy, this.#breakers?.policy)) {
      const { clock, onBreakerTransition } = this.#options;
      const onTransition = (endpoint: string, to: string) => onBreakerTransition(this.name, endpoint, to);
      this.#breakers = policy && new Breakers(policy, { clock, onTransition, mayOpen: () => this.#mayOneMoreOpen() });
    }
    for (const endpoint of this.#endpoints.values()) endpoint.applyBreaker(this.#breakers);
  }

  /** The limit of the first endpoint that is merely full: it frees up sooner than an open breaker closes. */
  #fullBy(connects: boolean): BreakerLimit | undefined {
    for (const live of this.#endpoints.values()) {
      const limit = live.breakerState === "open" ? undefined : live.fullBy(connects);
      if (limit !== undefined) return limit;
    }
    return undefined;
  }

  #whyNobody(because: Exclude<Pick["kind"], "picked">, exchange: Exchange): MeshError {
    const { onlyEndpoint } = exchange;
    if (onlyEndpoint !== undefined) return new MeshError("ambiguous", `endpoint ${onlyEndpoint.address}`);
    if (because === "none") return new MeshError("no_endpoints", this.name, unprocessed);
    exchange.breakerState = "open";
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

/** Admits to this endpoint or to none: there is no choice. */
function admitted(endpoint: LiveEndpoint | undefined, connects: boolean): Pick {
  const permit = endpoint?.admit(connects);
  if (endpoint === undefined) return { kind: "none" };
  return permit === undefined ? { kind: "no-permit" } : { kind: "picked", endpoint, permit };
}

const unprocessed = { processed: "unprocessed" } as const;

function refuse(response: ResponseSink, error: MeshError): RequestSink {
  response.abortResponse(error);
  return nowhere;
}
