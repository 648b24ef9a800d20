/**
 * Puts one sidecar together: the two stacks, what lies below them, and the sockets on which it listens.
 * Where its identity and its resources come from is its caller's business.
 */

import { randomBytes } from "node:crypto";
import { isLoopback, joinAddress } from "../model/address.ts";
import { destinationFor } from "../model/consumer-routes.ts";
import type { Locality } from "../model/endpoint-choice.ts";
import type { Destination, Endpoint, Inbound, Protocol, Resource, ResourceKind, Route } from "../model/resources.ts";
import type { Upstream } from "../model/upstream.ts";
import { Application } from "./application.ts";
import { Backends } from "./balance/backends.ts";
import { Dialler } from "./dialler.ts";
import { Destinations } from "./discovery/destinations.ts";
import type { Apply } from "./discovery/held-resource.ts";
import { KeyedRequests } from "./idempotency/process-once.ts";
import { RedisConnection } from "./idempotency/redis-connection.ts";
import { RedisRecords } from "./idempotency/redis-records.ts";
import type { Identity } from "./identity/credentials.ts";
import { inboundStack } from "./inbound.ts";
import { type ServeOptions, serveDialled } from "./intercept/dialled.ts";
import { serveForwardProxy } from "./intercept/forward-proxy.ts";
import { refuseLoop, servePlain, serveRedirected } from "./intercept/redirected.ts";
import { acceptLinks } from "./mesh-link/accept.ts";
import { linkConnector, meshPort } from "./mesh-link/connect.ts";
import { Peers } from "./mesh-link/peers.ts";
import { type Service, stack } from "./net/exchange.ts";
import { type Accept, type Listener, type ListenerLimit, listen, listenOnEach } from "./net/listener.ts";
import type { ReadOriginalDestination } from "./net/original-destination.ts";
import { outboundStack, type Shared } from "./outbound.ts";
import { outsideStacks } from "./outside.ts";
import { PlainPorts } from "./plain-ports.ts";
import { BoundConnections } from "./policy/bound-connections.ts";
import { CallsInFlight } from "./policy/calls-in-flight.ts";
import { RateLimiters } from "./policy/limit-rate.ts";
import { withholdOwnFields } from "./policy/own-fields.ts";
import { RetryBudgets } from "./policy/retry-budgets.ts";
import { outboundPort, plainPort } from "./ports.ts";
import { MirrorLimit } from "./route/mirror.ts";
import { countAccess, countIdempotency } from "./telemetry/counts.ts";
import { PlainUpstreams } from "./upstream/plain-upstreams.ts";

/**
 * Follows one resource: calls `apply` with every value and its version, `undefined` if there is none. `apply` returns why a
 * value can't be applied, if so. Returns a function that stops following.
 */
export type Follow = (kind: ResourceKind, name: string, apply: Apply) => () => void;

export interface SidecarOptions extends Shared {
  readonly namespace: string;
  /** The name of the pod's owner: its Deployment or the like. */
  readonly workload: string;
  readonly podIp: string;
  /** Where the pod runs: endpoints nearby may be preferred. */
  readonly locality: Locality;
  readonly trustDomain: string;
  readonly identity: Identity;
  readonly follow: Follow;
  readonly upstreams: readonly Upstream[];
  readonly outboundMtls: "preferred" | "required";
  /** The file with the URL of the Redis that IdempotencyPolicies may use. */
  readonly redisUrlFile?: string;
  /** What decides where a redirected request goes: the dialled address, or its Host if that names a Service in the mesh. */
  readonly routeBy: "address" | "host";
  /** Whether the application may call destinations outside the mesh. */
  readonly outside: "allow" | "deny";
  /** The number of connections of each listener; beyond it idle ones are closed. Default 10,000. */
  readonly maxConnections?: number;
  /** For a pod whose connections iptables redirects to this sidecar; absent: nothing is redirected. */
  readonly originalDestination?: ReadOriginalDestination;
}

const loopbackHosts = ["127.0.0.1", "::1"];
const tendEveryMs = 1_000;

/** The state that the gauges show. */
export interface SidecarState {
  readonly backends: Backends;
  readonly destinations: Destinations;
  readonly retryBudgets: RetryBudgets;
  readonly keyed: KeyedRequests;
  /** The version of the workload's own policy in force; undefined: there is none yet, or it has no version. */
  readonly inboundVersion: string | undefined;
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
  readonly #retryBudgets: RetryBudgets;
  readonly #dialler: Dialler;
  readonly #plainPorts = new PlainPorts(() => this.#inbound);
  readonly #keyed: KeyedRequests;
  readonly #calls = new CallsInFlight();
  #redis: RedisConnection | undefined;
  #sharedRecords: RedisRecords | undefined;
  #inbound: Inbound | undefined;
  #inboundVersion: string | undefined;
  #listeners: Listener[] = [];
  /** The listeners that others dial: opened last, and drained first. */
  #inboundListeners: readonly Listener[] = [];
  #tending: NodeJS.Timeout | undefined;

  constructor(options: SidecarOptions) {
    const { namespace, workload, clock, wheel, random, identity, unixNow, metrics, podIp, outboundMtls, log } = options;
    this.#options = options;
    const connectTo = linkConnector({ identity, clock, wheel, unixNow, onHandshake: this.#onHandshake("outbound") });
    this.#peers = new Peers({ connectTo, clock, wheel, random });
    this.#plain = new PlainUpstreams({ podIp, clock, wheel, random });
    const outsideStack = outsideStacks({ ...options, workload: `${namespace}/${workload}` });
    this.#dialler = new Dialler({ ...options, plain: this.#plain, outsideStack }, () => this.#destinations);
    this.#backends = new Backends((name, apply) => this.#follow("endpoints", name, apply), {
      caller: identity.spiffeId,
      locality: options.locality,
      dial: (endpoint, { protocol }) => this.#dialEndpoint(endpoint, protocol),
      clock,
      wheel,
      random,
      onBreakerTransition(backend, endpoint, to) {
        metrics.breakerTransitions.increment(metrics.breakerTransitions.slot({ backend, endpoint, to }));
        log("debug", "breaker moved", { backend, endpoint, to });
      },
      onOverload: (backend, limit) => metrics.overloads.increment(metrics.overloads.slot({ backend, limit })),
    });
    this.#retryBudgets = new RetryBudgets(clock);
    const outbound = {
      ...options,
      workload: `${namespace}/${workload}`,
      backend: (name: string) => this.#backends.get(name).service,
      remembers: (name: string, key: string) => this.#backends.get(name).remembers(key),
      retryBudget: this.#retryBudgets.of.bind(this.#retryBudgets),
      mirrorLimit: new MirrorLimit(),
      calls: this.#calls,
    };
    this.#destinations = new Destinations({
      follow: (name, apply) =>
        this.#follow<Destination>("destination", name, (destination, version) =>
          apply(destination && destinationFor(namespace, destination), version),
        ),
      compose: (destination, policyVersion) => outboundStack(destination, { ...outbound, policyVersion }),
      passThrough: (address, reason) => this.#dialler.passThrough(address, reason),
      refuseUnknown: (name) => this.#dialler.refuseUnknown(name),
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

  /** The current state. */
  readonly state = (): SidecarState => ({
    backends: this.#backends,
    destinations: this.#destinations,
    retryBudgets: this.#retryBudgets,
    keyed: this.#keyed,
    inboundVersion: this.#inboundVersion,
    linkCount: this.#peers.connectionCount,
    inboundCount: this.#inboundListeners.reduce((sum, { connectionCount }) => sum + connectionCount, 0),
  });

  /** What is still missing before requests can be served, in words; empty: ready. */
  get missing(): readonly string[] {
    const missing: string[] = [];
    if (this.#inbound === undefined) missing.push("the workload's own policy");
    if (this.#inboundListeners.length === 0) missing.push("listeners");
    return missing;
  }

  /** Starts to listen and to follow the workload's own resource. Rejects if it can't listen: a port is in use. */
  async start(): Promise<void> {
    const { namespace, workload, podIp, identity, trustDomain, upstreams } = this.#options;
    this.#follow<Inbound>("inbound", `${namespace}/${workload}`, (inbound, version) => {
      this.#inbound = inbound;
      this.#inboundVersion = version;
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
      ...this.#serveOptions("inbound"),
      onHandshake: this.#onHandshake("inbound"),
    });
    this.#inboundListeners = [meshListener, ...(await this.#listenPlain())];
    this.#tending = setInterval(() => this.#tend(), tendEveryMs).unref();
  }

  /**
   * Asks callers to go elsewhere, because the pod is about to end. Those who come anyway are served, and outbound requests
   * are not affected. Callers in plaintext stay on a connection wherever it leads, so each response tells them. Peers are
   * told by the control plane where else to go. A link that they open meanwhile is kept: a link per request would cost
   * them more.
   */
  sendCallersAway(): void {
    const [mesh, ...plain] = this.#inboundListeners;
    mesh?.drainConnected();
    for (const listener of plain) listener.leave();
  }

  /** Accepts nothing new from peers and lets requests in progress finish, within `graceMs`. Outbound works until `close`. */
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

  #onHandshake(direction: "inbound" | "outbound"): (outcome: string) => void {
    const { metrics, log } = this.#options;
    return (outcome) => {
      metrics.tlsHandshakes.increment(metrics.tlsHandshakes.slot({ direction, outcome }));
      log("debug", "handshake ended", { direction, outcome });
    };
  }

  #tend(): void {
    this.#peers.tend();
    this.#destinations.forgetIdle();
    this.#keyed.forgetExpired();
    const { known } = this.#destinations;
    const inUse = known.flatMap(({ routes }) => routes).flatMap(targetsOf);
    this.#backends.retain(new Set(inUse.map(({ endpoints }) => endpoints)));
    this.#retryBudgets.retain(new Set(known.map(({ name }) => name)));
  }

  /** An update that can't be applied is refused (nack), and what was in force stays. */
  #follow<T extends Resource["value"]>(
    kind: ResourceKind,
    name: string,
    apply: (value: T | undefined, version: string | undefined) => void,
  ): () => void {
    return this.#options.follow(kind, name, (resource, version) => {
      try {
        apply(resource?.value as T | undefined, version);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    });
  }

  /**
   * Listens where others can't reach it: otherwise it would be a proxy with this pod's identity. Pods simulated on one machine
   * have loopback IPs.
   */
  #listenOutbound(): Promise<Listener[]> {
    const { podIp, originalDestination } = this.#options;
    const options = {
      ...this.#serveOptions("outbound"),
      dial: (host: string, port: number) => this.#dialler.dial(host, port),
    };
    const hosts = isLoopback(podIp) ? [podIp] : loopbackHosts;
    if (originalDestination === undefined) {
      const accept: Accept = (socket, connections) => serveForwardProxy(socket, connections, options);
      return listenOnEach(hosts, outboundPort, accept, this.#limitOf("outbound"));
    }
    const redirected = {
      ...options,
      originalDestination,
      dialAddress: (host: string, port: number) => this.#dialler.dialAddress(host, port),
    };
    const accept: Accept = (socket, connections) => serveRedirected(socket, connections, redirected);
    return listenOnEach(hosts, outboundPort, accept, this.#limitOf("outbound"));
  }

  /** The service for plaintext that is redirected here on its way to the application. */
  async #listenPlain(): Promise<Listener[]> {
    const { podIp, originalDestination } = this.#options;
    if (originalDestination === undefined) return [];
    const hosts = isLoopback(podIp) ? [podIp] : ["0.0.0.0", "::"];
    const access = countAccess(this.#options.metrics);
    const options = {
      ...this.#serveOptions("inbound"),
      originalDestination,
      portOf: (port: number) => this.#plainPorts.of(port),
      seen: (port: number) => this.#plainPorts.seenAt(port),
      service: this.#inboundStack("anybody"),
      onPlaintextRefused: () => access.refused("mtls"),
    };
    const accept: Accept = (socket, connections) => servePlain(socket, connections, options);
    return listenOnEach(hosts, plainPort, accept, this.#limitOf("inbound"));
  }

  #listenFor({ host, port, listenHost, listenPort }: Upstream): Promise<Listener> {
    const authority = joinAddress(host, port);
    const options = this.#serveOptions("outbound");
    const accept: Accept = (socket, connections) => {
      const dialled = this.#dialler.dial(host, port);
      if (dialled === undefined) refuseLoop(socket, options);
      else serveDialled(socket, connections, dialled, authority, options);
    };
    return listen({ host: listenHost, port: listenPort }, accept, this.#limitOf("outbound"));
  }

  #serveOptions(listener: "inbound" | "outbound"): ServeOptions {
    const { clock, wheel, metrics, log } = this.#options;
    const onRefused = (code: string) => {
      metrics.refused.increment(metrics.refused.slot({ listener, code }));
      log("debug", "refused", { listener, code });
    };
    return { clock, wheel, onRefused };
  }

  #limitOf(listener: "inbound" | "outbound"): Partial<ListenerLimit> {
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
      inbound: () => this.#inbound,
      policyVersion: () => this.#inboundVersion,
      rateLimiters: this.#rateLimiters,
      keyed: this.#keyed,
      calls: this.#calls,
      bound: this.#bound,
      application: this.#application.service,
    });
  }

  #dialEndpoint(endpoint: Endpoint, protocol: Protocol): Service {
    if (endpoint.identity !== undefined) return this.#peers.service(endpoint, endpoint.identity);
    return stack([withholdOwnFields()], this.#plain.service(endpoint.address, protocol));
  }
}

/** Everything to which a route may send something, copies included. */
function targetsOf({ backends, mirrors = [] }: Route): readonly { readonly endpoints: string }[] {
  return [...backends, ...mirrors];
}
