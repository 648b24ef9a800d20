/**
 * One sidecar, put together: the two stacks, what lies below them, and the sockets on which it listens.
 * Where its identity and its resources come from is its caller's business.
 */

import { destinationFor } from "../model/consumer-routes.ts";
import type { Destination, Endpoint, Inbound, Protocol, Resource, ResourceKind, Route } from "../model/resources.ts";
import { destinationName } from "../model/service-host.ts";
import { Application } from "./application.ts";
import { Backends } from "./balance/backends.ts";
import { Destinations } from "./discovery/destinations.ts";
import type { Identity } from "./identity/credentials.ts";
import { inboundStack } from "./inbound.ts";
import { type Dialled, type InterceptOptions, serveDialled, serveForwardProxy } from "./intercept.ts";
import { acceptLinks } from "./mesh-link/accept.ts";
import { linkConnector, meshPort } from "./mesh-link/connect.ts";
import { Peers } from "./mesh-link/peers.ts";
import { joinAddress } from "./net/address.ts";
import { type Service, stack } from "./net/exchange.ts";
import { type Listener, listen } from "./net/listener.ts";
import { outboundStack, type Shared } from "./outbound.ts";
import { withholdOwnFields } from "./policy/own-fields.ts";
import { RetryBudgets } from "./policy/retry-budgets.ts";
import { MirrorLimit } from "./route/mirror.ts";
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
  readonly trustDomain: string;
  readonly identity: Identity;
  readonly follow: Follow;
  readonly upstreams: readonly Upstream[];
  readonly outboundMtls: "preferred" | "required";
}

export const outboundPort = 15_001;
export const adminPort = 15_020;
/** Dialled through the forward proxy, these of this pod would come back to where they came from. */
const ownPorts = new Set([outboundPort, 15_006, meshPort, adminPort]);
const tendEveryMs = 1_000;

/** What the gauges show. */
export interface SidecarState {
  readonly backends: Backends;
  readonly destinations: Destinations;
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
  #inbound: Inbound | undefined;
  #listeners: Listener[] = [];
  #meshListener: Listener | undefined;
  #tending: NodeJS.Timeout | undefined;

  constructor(options: SidecarOptions) {
    const { namespace, clock, wheel, random, identity, unixNow, metrics, podIp, outboundMtls } = options;
    this.#options = options;
    const onHandshake = (direction: string) => (outcome: string) =>
      metrics.tlsHandshakes.increment(metrics.tlsHandshakes.slot({ direction, outcome }));
    const connectTo = linkConnector({ identity, clock, wheel, unixNow, onHandshake: onHandshake("outbound") });
    this.#peers = new Peers({ connectTo, clock, random });
    this.#plain = new PlainUpstreams({ clock, wheel, random });
    this.#backends = new Backends((name, apply) => this.#follow("endpoints", name, apply), {
      dial: (endpoint, { protocol }) => this.#dialEndpoint(endpoint, protocol),
      clock,
      wheel,
      random,
      onBreakerTransition: (backend, endpoint, to) =>
        metrics.breakerTransitions.increment(metrics.breakerTransitions.slot({ backend, endpoint, to })),
    });
    const budgets = new RetryBudgets(clock);
    const outbound = {
      ...options,
      backend: (name: string) => this.#backends.get(name).service,
      retryBudget: budgets.of.bind(budgets),
      mirrorLimit: new MirrorLimit(),
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
    this.#application = new Application({ podIp, clock, wheel, random });
  }

  /** As it is now. */
  readonly state = (): SidecarState => ({
    backends: this.#backends,
    destinations: this.#destinations,
    linkCount: this.#peers.connectionCount,
    inboundCount: this.#meshListener?.connectionCount ?? 0,
  });

  /** What is still missing before requests can be served; empty: ready. */
  get missing(): readonly string[] {
    const missing: string[] = [];
    if (this.#inbound === undefined) missing.push("the workload's own policy");
    if (this.#meshListener === undefined) missing.push("listeners");
    return missing;
  }

  /** Listens, and follows the workload's own resource. Rejects where it can't: a port is in use. */
  async start(): Promise<void> {
    const { namespace, workload, podIp, identity, trustDomain, clock, wheel, metrics, upstreams } = this.#options;
    this.#follow<Inbound>("inbound", `${namespace}/${workload}`, (inbound) => {
      this.#inbound = inbound;
    });
    const intercept = this.#interceptOptions();
    this.#listeners.push(
      await listen({ host: podIp, port: outboundPort }, (socket, connections) =>
        serveForwardProxy(socket, connections, intercept),
      ),
    );
    for (const upstream of upstreams) this.#listeners.push(await this.#listenFor(upstream, intercept));
    this.#meshListener = await acceptLinks({
      host: podIp,
      port: meshPort,
      identity,
      trustDomain,
      service: inboundStack({
        ...this.#options,
        workload: `${namespace}/${workload}`,
        ports: () => this.#inbound?.ports ?? [],
        application: this.#application.service,
      }),
      clock,
      wheel,
      onHandshake: (outcome) =>
        metrics.tlsHandshakes.increment(metrics.tlsHandshakes.slot({ direction: "inbound", outcome })),
    });
    this.#tending = setInterval(() => this.#tend(), tendEveryMs).unref();
  }

  /** Takes nothing new from peers and lets what runs finish, for `graceMs` at most. Outbound works until `close`. */
  async drain(graceMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([grace, this.#meshListener?.drain()]);
    clearTimeout(timer);
  }

  close(): void {
    clearInterval(this.#tending);
    this.#meshListener?.close();
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.#destinations.close();
    this.#backends.retain(new Set());
    this.#peers.close();
    this.#plain.close();
    this.#application.close();
  }

  #tend(): void {
    this.#peers.tend();
    this.#destinations.forgetIdle();
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

  #interceptOptions(): InterceptOptions {
    const { clock, wheel, metrics } = this.#options;
    return {
      clock,
      wheel,
      dial: (host, port) => this.#dial(host, port),
      onRefused: (code) => metrics.refused.increment(metrics.refused.slot({ listener: "outbound", code })),
    };
  }

  #listenFor({ host, port, listenHost, listenPort }: Upstream, intercept: InterceptOptions): Promise<Listener> {
    const authority = joinAddress(host, port);
    return listen({ host: listenHost, port: listenPort }, (socket, connections) => {
      const dialled = this.#dial(host, port);
      if (dialled === undefined) socket.destroy();
      else serveDialled(socket, connections, dialled, authority, intercept);
    });
  }

  #dial(host: string, port: number): Dialled | undefined {
    const { podIp, namespace } = this.#options;
    if (host === "" || (ownPorts.has(port) && (host === podIp || host === "localhost"))) return undefined;
    const dialled = joinAddress(host, port);
    const name = destinationName(host, port, namespace);
    if (name === undefined) return { service: this.#passThrough(dialled, "outside"), protocol: undefined };
    return this.#destinations.dial(name, dialled);
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

/** Wherever a route may send something, copies included. */
function targetsOf({ backends, mirrors = [] }: Route): readonly { readonly endpoints: string }[] {
  return [...backends, ...mirrors];
}
