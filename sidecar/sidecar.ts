/**
 * One sidecar, put together: the two stacks, what lies below them, and the sockets on which it listens.
 * Where its identity and its resources come from is its caller's business.
 */

import { randomBytes } from "node:crypto";
import { destinationFor } from "../model/consumer-routes.ts";
import { undeclaredProtocol } from "../model/defaults.ts";
import type { Place } from "../model/endpoint-choice.ts";
import { canonicalIp } from "../model/ip-address.ts";
import type { NamedAccessRules } from "../model/policy.ts";
import type {
  Destination,
  Endpoint,
  Inbound,
  InboundPort,
  Protocol,
  Resource,
  ResourceKind,
  Route,
} from "../model/resources.ts";
import { destinationName } from "../model/service-host.ts";
import { Application } from "./application.ts";
import { Backends } from "./balance/backends.ts";
import { Destinations } from "./discovery/destinations.ts";
import { KeyedRequests } from "./idempotency/process-once.ts";
import { RedisConnection } from "./idempotency/redis-connection.ts";
import { RedisRecords } from "./idempotency/redis-records.ts";
import type { Identity } from "./identity/credentials.ts";
import { inboundStack } from "./inbound.ts";
import { type Dialled, type ServeOptions, serveDialled } from "./intercept/dialled.ts";
import { serveForwardProxy } from "./intercept/forward-proxy.ts";
import { servePlain, serveRedirected } from "./intercept/redirected.ts";
import { acceptLinks } from "./mesh-link/accept.ts";
import { linkConnector, meshPort } from "./mesh-link/connect.ts";
import { Peers } from "./mesh-link/peers.ts";
import { isLoopback, joinAddress, splitAddress } from "./net/address.ts";
import { SeenClients } from "./net/detect.ts";
import { type Service, stack } from "./net/exchange.ts";
import { type Accept, type ConnectionLimit, type Listener, listen, listenOnEach } from "./net/listener.ts";
import type { ReadOriginalDestination } from "./net/original-destination.ts";
import { outboundStack, type Shared } from "./outbound.ts";
import { BoundConnections } from "./policy/bound-connections.ts";
import { CallsInFlight } from "./policy/calls-in-flight.ts";
import { RateLimiters } from "./policy/limit-rate.ts";
import { withholdOwnFields } from "./policy/own-fields.ts";
import { RetryBudgets } from "./policy/retry-budgets.ts";
import { MirrorLimit } from "./route/mirror.ts";
import { countIdempotency } from "./telemetry/counts.ts";
import { PlainUpstreams } from "./upstream/plain-upstreams.ts";

/**
 * Follows one resource: `apply` gets every value, `undefined` when there is none, and returns why it can't be applied, if so.
 * Returns what ends it.
 */
export type Follow = (
  kind: ResourceKind,
  name: string,
  apply: (resource: Resource | undefined) => string | undefined,
) => () => void;

/** A listener of the application's own choosing for one destination: `tulle.dev/upstreams: payments:80=127.0.0.1:9001`. */
export interface Upstream {
  readonly host: string;
  readonly port: number;
  readonly listenHost: string;
  readonly listenPort: number;
}

export interface SidecarOptions extends Shared {
  readonly namespace: string;
  /** The name of what owns the pod. */
  readonly workload: string;
  readonly podIp: string;
  /** Where the pod runs, for endpoints that are to be preferred there. */
  readonly place: Place;
  readonly trustDomain: string;
  readonly identity: Identity;
  readonly follow: Follow;
  readonly upstreams: readonly Upstream[];
  readonly outboundMtls: "preferred" | "required";
  /** The file with the URL of the Redis that IdempotencyPolicies may use. */
  readonly redisUrlFile?: string;
  /** What decides where a redirected request goes: the address that was dialled, or its Host where that is one of the mesh. */
  readonly routeBy: "address" | "host";
  /** Of each listener, at a time; beyond it idle ones are closed. Default 10,000. */
  readonly maxConnections?: number;
  /** For a pod whose connections iptables redirects to this sidecar; absent: nothing is redirected. */
  readonly originalDestination?: ReadOriginalDestination;
}

export const outboundPort = 15_001;
/** Where plaintext for the application is redirected to. */
export const plainPort = 15_006;
export const adminPort = 15_020;
/** Dialled by the application, these of this pod would come back to where they came from. */
const ownPorts = new Set([outboundPort, plainPort, meshPort, adminPort]);
const loopbackHosts = ["127.0.0.1", "::1"];
const tendEveryMs = 1_000;
const defaultHttpPort = 80;
const maxSeenPorts = 1_000;

/** What the gauges show. */
export interface SidecarState {
  readonly backends: Backends;
  readonly destinations: Destinations;
  readonly keyed: KeyedRequests;
  readonly linkCount: number;
  readonly inboundCount: number;
}

export class Sidecar {
  readonly #options: SidecarOptions;
  readonly #backends: Backends;
  readonly #destinations: Destinations;
  readonly #peers: Peers;
  readonly #plain: PlainUpstreams;
  readonly #application: Application;
  readonly #bound = new BoundConnections(() => randomBytes(16).toString("hex"));
  readonly #rateLimiters: RateLimiters;
  /** By the port of the application that plaintext dials. */
  readonly #seen = new Map<number, SeenClients>();
  readonly #keyed: KeyedRequests;
  readonly #calls = new CallsInFlight();
  #redis: RedisConnection | undefined;
  #sharedRecords: RedisRecords | undefined;
  #inbound: Inbound | undefined;
  #listeners: Listener[] = [];
  /** What others dial: they come last, and are drained first. */
  #inboundListeners: readonly Listener[] = [];
  #tending: NodeJS.Timeout | undefined;

  constructor(options: SidecarOptions) {
    const { namespace, clock, wheel, random, identity, unixNow, metrics, podIp, outboundMtls } = options;
    this.#options = options;
    const onHandshake = (direction: string) => (outcome: string) =>
      metrics.tlsHandshakes.increment(metrics.tlsHandshakes.slot({ direction, outcome }));
    const connectTo = linkConnector({ identity, clock, wheel, unixNow, onHandshake: onHandshake("outbound") });
    this.#peers = new Peers({ connectTo, clock, wheel, random });
    this.#plain = new PlainUpstreams({ clock, wheel, random });
    this.#backends = new Backends((name, apply) => this.#follow("endpoints", name, apply), {
      caller: identity.spiffeId,
      place: options.place,
      dial: (endpoint, { protocol }) => this.#dialEndpoint(endpoint, protocol),
      clock,
      wheel,
      random,
      onBreakerTransition: (backend, endpoint, to) =>
        metrics.breakerTransitions.increment(metrics.breakerTransitions.slot({ backend, endpoint, to })),
      onOverload: (backend, limit) => metrics.overloads.increment(metrics.overloads.slot({ backend, limit })),
    });
    const budgets = new RetryBudgets(clock);
    const outbound = {
      ...options,
      backend: (name: string) => this.#backends.get(name).service,
      retryBudget: budgets.of.bind(budgets),
      mirrorLimit: new MirrorLimit(),
      calls: this.#calls,
    };
    this.#destinations = new Destinations({
      follow: (name, apply) =>
        this.#follow<Destination>("destination", name, (told) => apply(told && destinationFor(namespace, told))),
      compose: (destination) => outboundStack(destination, outbound),
      passThrough: (address, reason) => this.#passThrough(address, reason),
      outboundMtls,
      clock,
      wheel,
    });
    this.#rateLimiters = new RateLimiters(clock);
    this.#keyed = new KeyedRequests({
      clock,
      wheel,
      counts: countIdempotency(metrics),
      sharedRecords: () => this.#openSharedRecords(),
    });
    this.#application = new Application({ podIp, clock, wheel, random });
  }

  /** As it is now. */
  readonly state = (): SidecarState => ({
    backends: this.#backends,
    destinations: this.#destinations,
    keyed: this.#keyed,
    linkCount: this.#peers.connectionCount,
    inboundCount: this.#inboundListeners.reduce((sum, { connectionCount }) => sum + connectionCount, 0),
  });

  /** What is still missing before requests can be served; empty: ready. */
  get missing(): readonly string[] {
    const missing: string[] = [];
    if (this.#inbound === undefined) missing.push("the workload's own policy");
    if (this.#inboundListeners.length === 0) missing.push("listeners");
    return missing;
  }

  /** Listens, and follows the workload's own resource. Rejects where it can't: a port is in use. */
  async start(): Promise<void> {
    const { namespace, workload, podIp, identity, trustDomain, clock, wheel, metrics, upstreams } = this.#options;
    this.#follow<Inbound>("inbound", `${namespace}/${workload}`, (inbound) => {
      this.#inbound = inbound;
      if (inbound !== undefined) this.#keyed.prepare([...inbound.ports, ...(inbound.unlisted ?? [])]);
    });
    this.#listeners.push(...(await this.#listenOutbound()));
    for (const upstream of upstreams) this.#listeners.push(await this.#listenFor(upstream));
    const meshListener = await acceptLinks({
      host: podIp,
      port: meshPort,
      identity,
      trustDomain,
      service: this.#inboundStack("peers"),
      limit: this.#limitOf("inbound"),
      clock,
      wheel,
      onHandshake: (outcome) =>
        metrics.tlsHandshakes.increment(metrics.tlsHandshakes.slot({ direction: "inbound", outcome })),
    });
    this.#inboundListeners = [meshListener, ...(await this.#listenPlain())];
    this.#tending = setInterval(() => this.#tend(), tendEveryMs).unref();
  }

  /** Asks callers to go elsewhere, as the pod is about to end. Who comes all the same is served, and outbound is untouched. */
  sendCallersAway(): void {
    for (const listener of this.#inboundListeners) listener.drainConnected();
  }

  /** Takes nothing new from peers and lets what runs finish, for `graceMs` at most. Outbound works until `close`. */
  async drain(graceMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([grace, Promise.all(this.#inboundListeners.map((listener) => listener.drain()))]);
    clearTimeout(timer);
  }

  close(): void {
    clearInterval(this.#tending);
    for (const listener of this.#inboundListeners) listener.close();
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.#destinations.close();
    this.#backends.retain(new Set());
    this.#peers.close();
    this.#plain.close();
    this.#application.close();
    this.#redis?.close();
  }

  #openSharedRecords(): RedisRecords {
    const { namespace, workload, metrics } = this.#options;
    const { idempotencyStoreFailures: failures } = metrics;
    this.#redis ??= new RedisConnection({ urlFile: this.#options.redisUrlFile, ...this.#options });
    this.#sharedRecords ??= new RedisRecords({
      ...this.#options,
      connection: this.#redis,
      workload: `${namespace}/${workload}`,
      failed: (operation) => failures.increment(failures.slot({ operation })),
    });
    return this.#sharedRecords;
  }

  #tend(): void {
    this.#peers.tend();
    this.#destinations.forgetIdle();
    this.#keyed.forgetExpired();
    const inUse = this.#destinations.known.flatMap(({ routes }) => routes).flatMap(targetsOf);
    this.#backends.retain(new Set(inUse.map(({ endpoints }) => endpoints)));
  }

  /** What can't be applied is nacked, and what was in force stays. */
  #follow<T extends Resource["value"]>(
    kind: ResourceKind,
    name: string,
    apply: (value: T | undefined) => void,
  ): () => void {
    return this.#options.follow(kind, name, (resource) => {
      try {
        apply(resource?.value as T | undefined);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    });
  }

  /** Never where others can reach it, it would be a proxy with this pod's identity: pods of one machine have loopback IPs. */
  #listenOutbound(): Promise<Listener[]> {
    const { podIp, originalDestination } = this.#options;
    const options = { ...this.#serveOptions("outbound"), dial: (host: string, port: number) => this.#dial(host, port) };
    if (originalDestination === undefined) {
      const hosts = isLoopback(podIp) ? [podIp] : loopbackHosts;
      const accept: Accept = (socket, connections) => serveForwardProxy(socket, connections, options);
      return listenOnEach(hosts, outboundPort, accept, this.#limitOf("outbound"));
    }
    const redirected = {
      ...options,
      originalDestination,
      dialAddress: (host: string, port: number) => this.#dialAddress(host, port),
    };
    const accept: Accept = (socket, connections) => serveRedirected(socket, connections, redirected);
    return listenOnEach(loopbackHosts, outboundPort, accept, this.#limitOf("outbound"));
  }

  /** For plaintext that is redirected here on its way to the application. */
  async #listenPlain(): Promise<Listener[]> {
    const { originalDestination } = this.#options;
    if (originalDestination === undefined) return [];
    const options = {
      ...this.#serveOptions("inbound"),
      originalDestination,
      portOf: (port: number) => this.#plainPortOf(port),
      seen: (port: number) => this.#seenAt(port),
      service: this.#inboundStack("anybody"),
    };
    const accept: Accept = (socket, connections) => servePlain(socket, connections, options);
    return listenOnEach(["0.0.0.0", "::"], plainPort, accept, this.#limitOf("inbound"));
  }

  #listenFor({ host, port, listenHost, listenPort }: Upstream): Promise<Listener> {
    const authority = joinAddress(host, port);
    const options = this.#serveOptions("outbound");
    const accept: Accept = (socket, connections) => {
      const dialled = this.#dial(host, port);
      if (dialled === undefined) socket.destroy();
      else serveDialled(socket, connections, dialled, authority, options);
    };
    return listen({ host: listenHost, port: listenPort }, accept, this.#limitOf("outbound"));
  }

  #serveOptions(listener: "inbound" | "outbound"): ServeOptions {
    const { clock, wheel, metrics } = this.#options;
    const onRefused = (code: string) => metrics.refused.increment(metrics.refused.slot({ listener, code }));
    return { clock, wheel, onRefused };
  }

  #limitOf(listener: "inbound" | "outbound"): Partial<ConnectionLimit> {
    const { metrics, maxConnections } = this.#options;
    const onExceeded = () => metrics.refused.increment(metrics.refused.slot({ listener, code: "overloaded" }));
    return maxConnections === undefined ? { onExceeded } : { most: maxConnections, onExceeded };
  }

  #inboundStack(from: "peers" | "anybody"): Service {
    const { namespace, workload } = this.#options;
    return inboundStack({
      ...this.#options,
      from,
      workload: `${namespace}/${workload}`,
      ports: () => this.#inbound?.ports,
      rateLimiters: this.#rateLimiters,
      keyed: this.#keyed,
      calls: this.#calls,
      bound: this.#bound,
      application: this.#application.service,
    });
  }

  /** As a program names it; undefined: this sidecar itself. */
  #dial(host: string, port: number): Dialled | undefined {
    if (this.#isOwn(host, port)) return undefined;
    const ip = canonicalIp(host);
    const dialled = joinAddress(ip ?? host, port);
    const name = ip === undefined ? destinationName(host, port, this.#options.namespace) : dialled;
    if (name === undefined)
      return { service: this.#passThrough(dialled, "outside"), protocol: undeclaredProtocol(port) };
    return this.#destinations.dial(name, dialled);
  }

  /** By IP address, which may be a Service's; undefined: this sidecar itself. */
  #dialAddress(host: string, port: number): Dialled | undefined {
    if (this.#isOwn(host, port)) return undefined;
    const address = joinAddress(host, port);
    const dialled = this.#destinations.dial(address, address);
    if (this.#options.routeBy === "address") return dialled;
    const service = this.#routeByHost(address, dialled.service);
    const { whenKnown, seen } = dialled;
    return {
      service,
      whenKnown,
      seen,
      get protocol() {
        return dialled.protocol;
      },
    };
  }

  /** For programs that look up pods themselves and say in Host which Service they mean, as ingress controllers do. */
  #routeByHost(address: string, dialled: Service): Service {
    return (exchange, response) => {
      const { host, port = defaultHttpPort } = splitAddress(exchange.authority);
      const name = destinationName(host, port, this.#options.namespace);
      const service = name === undefined ? dialled : this.#destinations.dial(name, address, dialled).service;
      return service(exchange, response);
    };
  }

  #isOwn(host: string, port: number): boolean {
    const { podIp } = this.#options;
    return ownPorts.has(port) && (host === podIp || host === "localhost" || (isLoopback(host) && !isLoopback(podIp)));
  }

  /** Ports that the pod does not declare are the application's too; undefined: this sidecar's own. */
  #plainPortOf(port: number): InboundPort | undefined {
    if (ownPorts.has(port)) return undefined;
    const protocol = undeclaredProtocol(port);
    if (this.#inbound === undefined) return { port, protocol, access: nobodyYet };
    const { ports, unlisted = [], elsewhere } = this.#inbound;
    const isIt = (known: InboundPort) => known.port === port;
    return ports.find(isIt) ?? unlisted.find(isIt) ?? { port, protocol, ...elsewhere };
  }

  #seenAt(port: number): SeenClients {
    let seen = this.#seen.get(port);
    if (seen === undefined) {
      if (this.#seen.size >= maxSeenPorts) this.#seen.clear();
      seen = new SeenClients();
      this.#seen.set(port, seen);
    }
    return seen;
  }

  #dialEndpoint(endpoint: Endpoint, protocol: Protocol): Service {
    if (endpoint.identity !== undefined) return this.#peers.service(endpoint, endpoint.identity);
    return stack([withholdOwnFields()], this.#plain.service(endpoint.address, protocol));
  }

  #passThrough(address: string, reason: "outside" | "no_policy_yet"): Service {
    const { metrics } = this.#options;
    const slot = metrics.passthrough.slot({ reason });
    const service = this.#plain.answering(address);
    return (exchange, response) => {
      metrics.passthrough.increment(slot);
      return service(exchange, response);
    };
  }
}

/** Until it is known who may call, nobody may. */
const nobodyYet: readonly NamedAccessRules[] = [{ name: "", action: "allow", mode: "enforce", rules: [] }];

/** Wherever a route may send something, copies included. */
function targetsOf({ backends, mirrors = [] }: Route): readonly { readonly endpoints: string }[] {
  return [...backends, ...mirrors];
}
