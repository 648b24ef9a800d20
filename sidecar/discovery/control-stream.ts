/**
 * What this sidecar has received from the control plane, kept up to date over one stream.
 *
 * ```
 *             ┌──────── after a jittered backoff ────────┐
 *             ▼                                          │
 *   start ─▶ dialling ──let in──▶ connected ──broken──▶ waiting
 *             ▲   └──────refused, unreachable────────────▲
 *             │                       │
 *             └── new certificate ────┘  (the former connection serves until the new one is let in)
 * ```
 *
 * Each connection subscribes to everything that is wanted, with the versions in force, so that only what has changed is sent
 * again. Whatever happens to a connection, what is in force stays in force.
 */

import { backoffDelayMs } from "../../model/backoff.ts";
import type { Clock, Random } from "../../model/clock.ts";
import type { ResourceKind } from "../../model/resources.ts";
import { decodeName, decodeResource } from "../../proto/decode.ts";
import { encodeName } from "../../proto/encode.ts";
import type { Resource__Output } from "../../proto/generated/tulle/v1/Resource.ts";
import type { ResourceName__Output } from "../../proto/generated/tulle/v1/ResourceName.ts";
import type { Subscription } from "../../proto/generated/tulle/v1/Subscription.ts";
import type { TrafficReport } from "../../proto/generated/tulle/v1/TrafficReport.ts";
import type { Update__Output } from "../../proto/generated/tulle/v1/Update.ts";
import type { Log } from "../../system/log.ts";
import { type Identity, rootIds } from "../identity/credentials.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { ControlConnection } from "./control-connection.ts";
import { type Apply, type GoodResource, HeldResource } from "./held-resource.ts";
import { KeptSnapshot } from "./kept-snapshot.ts";

export interface ControlStreamOptions {
  /** `host:port` of Discovery; several are tried in turn. */
  readonly endpoints: readonly string[];
  readonly identity: Identity;
  readonly controlPlaneIdentity: string;
  readonly node: {
    readonly namespace: string;
    readonly workload: string;
    readonly pod: string;
    readonly proxyVersion: string;
  };
  /** Where the last good resources are kept across restarts. Absent: they are not kept. */
  readonly stateFolder?: string;
  /** The control plane signs with a new key: a new certificate is needed within this many milliseconds. */
  readonly onRenew?: (withinMs: number) => void;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  readonly log: Log;
  /** How long a connection must be up before it is believed that a resource is gone. Default 30 s. */
  readonly absenceGraceMs?: number;
  /** How long to keep what was subscribed on this sidecar's behalf if nothing asks for it. Default 10 min. */
  readonly unaskedMs?: number;
  /** The delay before dialling again. Default 250 ms, doubled each time up to 5 s, ± 50 %. */
  readonly retry?: { readonly initialDelayMs: number; readonly maxDelayMs: number };
}

const defaultGraceMs = 30_000;
const defaultRetry = { initialDelayMs: 250, maxDelayMs: 5_000 };
/** If a connection was up for this long, its end does not count as a failure. */
const steadyMs = 10_000;
/** Resources kept from before a restart are dropped after this time if nobody asks for them. */
const keptUnaskedMs = 10 * 60 * 1000;

export class ControlStream {
  readonly #options: ControlStreamOptions;
  readonly #held = new Map<string, HeldResource>();
  /** The held resources that the control plane subscribed on this sidecar's behalf and that nothing here has asked for yet. */
  readonly #unasked = new Set<HeldResource>();
  /** Resources from before the restart, until they are asked for. */
  readonly #kept = new Map<string, GoodResource>();
  readonly #snapshot: KeptSnapshot | undefined;
  /** Still in force although this connection says that they are gone: it has not been up for long enough. */
  readonly #doubted = new Set<HeldResource>();
  readonly #connectedListeners = new Set<(connected: boolean) => void>();
  #current: ControlConnection | undefined;
  #next: ControlConnection | undefined;
  #redial: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;
  #forgetting: NodeJS.Timeout | undefined;
  #attempts = 0;
  #failures = 0;
  #openedAtMs: number | undefined;
  /** Whether the connection has been up for long enough to believe it when it says that a resource is gone. */
  #trusted = false;
  #startedAtMs = 0;
  #running = false;

  constructor(options: ControlStreamOptions) {
    this.#options = options;
    if (options.stateFolder !== undefined) this.#snapshot = new KeptSnapshot(options.stateFolder, options.log);
  }

  get connected(): boolean {
    return this.#current !== undefined;
  }

  /** The last good version of every subscribed resource. */
  get inForce(): GoodResource[] {
    return [...this.#held.values()].flatMap(({ good }) => good ?? []);
  }

  /** Called at each change of `connected`. Returns a function that removes the listener. */
  onConnected(listener: (connected: boolean) => void): () => void {
    this.#connectedListeners.add(listener);
    return () => void this.#connectedListeners.delete(listener);
  }

  /** Resolves once the kept resources are loaded; then it stays connected until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    for (const { kind, name, good } of (await this.#snapshot?.load()) ?? []) this.#restore(kind, name, good);
    if (signal.aborted) return;
    this.#running = true;
    this.#startedAtMs = this.#options.clock.now();
    const ignoreIdentity = this.#options.identity.onChange(() => this.#onNewCredentials());
    const stop = (): void => {
      ignoreIdentity();
      this.#stop();
    };
    signal.addEventListener("abort", stop, { once: true });
    this.#dial();
  }

  /**
   * Calls `apply` with what is in force for a name from now on, at once if that is known already. Returns a function that
   * unsubscribes; the resource is forgotten with its last subscription.
   */
  subscribe(kind: ResourceKind, name: string, apply: Apply): () => void {
    const key = keyOf(kind, name);
    const known = this.#held.get(key);
    const held = known ?? new HeldResource(kind, name, this.#kept.get(key));
    const reason = held.add(apply);
    // A resource that was subscribed on its behalf is requested anyway: it may turn out that it can't be applied.
    if (known === undefined || this.#unasked.delete(known)) {
      this.#kept.delete(key);
      this.#held.set(key, held);
      this.#sendBoth({ subscribe: { subscriptions: [subscriptionOf(held)] } });
    }
    if (reason !== undefined && held.good !== undefined) this.#answer(held, held.good.version, reason);
    return () => this.#unsubscribe(key, held, apply);
  }

  /** Sends a report, or drops it while there is no connection. */
  report(report: TrafficReport): void {
    this.#current?.send({ report });
  }

  /** Writes what is not on disk yet. */
  async flush(): Promise<void> {
    await this.#snapshot?.close(() => this.#goods());
  }

  #restore(kind: ResourceKind, name: string, good: GoodResource): void {
    const held = this.#held.get(keyOf(kind, name));
    if (held === undefined) this.#kept.set(keyOf(kind, name), good);
    else if (held.state.kind === "unknown") held.offer(good);
  }

  #unsubscribe(key: string, held: HeldResource, apply: Apply): void {
    held.remove(apply);
    if (held.wanted || this.#held.get(key) !== held) return;
    this.#held.delete(key);
    this.#doubted.delete(held);
    this.#sendBoth({ unsubscribe: { resources: [encodeName(held.kind, held.name)] } });
    this.#keepSoon();
  }

  #stop(): void {
    this.#running = false;
    clearTimeout(this.#redial);
    clearTimeout(this.#forgetting);
    this.#next?.close();
    this.#current?.close();
    this.#next = undefined;
    this.#setCurrent(undefined);
  }

  #dial(): void {
    this.#redial = undefined;
    this.#next?.close();
    const { endpoints, identity, controlPlaneIdentity, node, clock, wheel } = this.#options;
    const address = endpoints[this.#attempts++ % endpoints.length] ?? "";
    const credentials = identity.current();
    const options = { address, credentials, controlPlaneIdentity, clock, wheel };
    const connection: ControlConnection = new ControlConnection(options, {
      opened: () => this.#onOpened(connection),
      update: (update) => this.#take(update),
      closed: (reason) => this.#onClosed(connection, reason),
    });
    this.#next = connection;
    const takesSubscriptions = this.#openedAtMs === undefined;
    connection.send({ hello: { ...node, trustedRoots: rootIds(credentials.trustBundlePem), takesSubscriptions } });
    const subscriptions = Array.from(this.#held.values(), subscriptionOf);
    if (subscriptions.length > 0) connection.send({ subscribe: { subscriptions } });
  }

  #onOpened(connection: ControlConnection): void {
    const former = this.#current;
    this.#next = undefined;
    this.#openedAtMs = this.#options.clock.now();
    this.#setCurrent(connection);
    former?.close();
    this.#options.log("info", "connected to the control plane", { address: connection.address });
    this.#startGrace();
  }

  #onClosed(connection: ControlConnection, reason: string): void {
    const wasCurrent = connection === this.#current;
    if (connection === this.#next) this.#next = undefined;
    if (wasCurrent) this.#setCurrent(undefined);
    if (!this.#running) return;
    const { address } = connection;
    this.#options.log("warn", wasCurrent ? "control plane lost" : "control plane not reached", { address, reason });
    const stoodMs = wasCurrent ? this.#options.clock.now() - (this.#openedAtMs ?? 0) : 0;
    this.#failures = stoodMs >= steadyMs ? 1 : this.#failures + 1;
    if (this.#next === undefined) this.#dialLater();
  }

  #onNewCredentials(): void {
    this.#failures = Math.max(this.#failures, 1);
    // All sidecars may get a new trust bundle at the same time, so this is spread out.
    this.#dialLater();
  }

  #dialLater(): void {
    const { retry = defaultRetry, random } = this.#options;
    const backoff = { ...retry, backoffMultiplier: 2, jitter: 0.5 };
    clearTimeout(this.#redial);
    this.#redial = setTimeout(() => this.#dial(), backoffDelayMs(backoff, Math.max(this.#failures, 1), random)).unref();
  }

  #setCurrent(connection: ControlConnection | undefined): void {
    const before = this.connected;
    this.#current = connection;
    if (connection === undefined) this.#endGrace();
    if (before !== this.connected) for (const listener of this.#connectedListeners) listener(this.connected);
  }

  #take(update: Update__Output): void {
    if (update.renewWithinMs > 0) this.#options.onRenew?.(update.renewWithinMs);
    if (update.subscribed.length > 0) this.#takeSubscriptions(update.subscribed);
    for (const message of update.resources) this.#takeResource(message);
    for (const name of update.absent) this.#takeAbsent(name);
    for (const { resource, reason } of update.refused) {
      const held = this.#find(resource);
      if (held === undefined) continue;
      this.#options.log("warn", "subscription refused", { kind: held.kind, name: held.name, reason });
      if (held.state.kind === "unknown") held.believeGone();
    }
  }

  /** What this pod's siblings use: it is held before it is dialled, and dropped if it is not. */
  #takeSubscriptions(names: readonly ResourceName__Output[]): void {
    for (const message of names) {
      const name = decodeName(message);
      if (name === undefined) continue;
      const key = keyOf(name.kind, name.name);
      if (this.#held.has(key)) continue;
      const held = new HeldResource(name.kind, name.name, this.#kept.get(key));
      this.#kept.delete(key);
      this.#held.set(key, held);
      this.#unasked.add(held);
    }
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => this.#forgetUnasked(), this.#options.unaskedMs ?? keptUnaskedMs).unref();
  }

  #forgetUnasked(): void {
    for (const held of this.#unasked) {
      this.#held.delete(keyOf(held.kind, held.name));
      this.#doubted.delete(held);
    }
    const resources = Array.from(this.#unasked, ({ kind, name }) => encodeName(kind, name));
    this.#unasked.clear();
    if (resources.length > 0) this.#sendBoth({ unsubscribe: { resources } });
    this.#keepSoon();
  }

  #takeResource(message: Resource__Output): void {
    const { body, name, version } = message;
    const held = body === undefined ? undefined : this.#held.get(keyOf(body, name));
    if (held === undefined) return;
    const decoded = decodeResource(message);
    const reason = decoded.ok
      ? held.offer({ resource: decoded.value, version })
      : decoded.error.map(({ path, message }) => `${path} ${message}`).join("; ");
    this.#doubted.delete(held);
    if (reason === undefined) this.#keepSoon();
    this.#answer(held, version, reason);
  }

  #takeAbsent(message: ResourceName__Output): void {
    const held = this.#find(message);
    if (held === undefined) return;
    if (held.good === undefined || this.#trusted) return this.#believeGone(held);
    this.#doubted.add(held);
    this.#options.log("info", "kept although said to be gone", { kind: held.kind, name: held.name });
  }

  /** A control plane that has just started may not know everything yet. */
  #startGrace(): void {
    const { absenceGraceMs = defaultGraceMs } = this.#options;
    this.#endGrace();
    this.#grace = setTimeout(() => {
      this.#trusted = true;
      for (const held of this.#doubted) this.#believeGone(held);
      this.#doubted.clear();
    }, absenceGraceMs).unref();
  }

  /** Resources in doubt stay in force, and the next connection asks for them again. */
  #endGrace(): void {
    clearTimeout(this.#grace);
    this.#trusted = false;
    this.#doubted.clear();
  }

  #believeGone(held: HeldResource): void {
    held.believeGone();
    this.#keepSoon();
  }

  #find(message: ResourceName__Output | null): HeldResource | undefined {
    const name = decodeName(message);
    return name && this.#held.get(keyOf(name.kind, name.name));
  }

  #answer(held: HeldResource, version: string, reason: string | undefined): void {
    const resource = encodeName(held.kind, held.name);
    const { log } = this.#options;
    if (reason === undefined) {
      this.#current?.send({ ack: { resource, version } });
      log("debug", "update applied", { kind: held.kind, name: held.name, version });
    } else {
      this.#current?.send({ nack: { resource, version, reason } });
      log("warn", "update can't be applied", { kind: held.kind, name: held.name, version, reason });
    }
  }

  #sendBoth(message: Parameters<ControlConnection["send"]>[0]): void {
    this.#current?.send(message);
    this.#next?.send(message);
  }

  #keepSoon(): void {
    if (this.#options.clock.now() - this.#startedAtMs > keptUnaskedMs) this.#kept.clear();
    this.#snapshot?.saveSoon(() => this.#goods());
  }

  *#goods(): Generator<GoodResource> {
    yield* this.#kept.values();
    for (const { good } of this.#held.values()) if (good !== undefined) yield good;
  }
}

function keyOf(kind: ResourceKind, name: string): string {
  return `${kind} ${name}`;
}

function subscriptionOf(held: HeldResource): Subscription {
  return { resource: encodeName(held.kind, held.name), knownVersion: held.good?.version ?? "" };
}
