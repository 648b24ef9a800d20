/**
 * Brings changes of the snapshot to the subscribers of what changed. It knows no gRPC: `discovery-service.ts` does that.
 *
 * The first change is sent at once; changes within the next 10 ms are sent together when these are over, and so on in ever
 * longer windows while changes keep coming. So an edit takes effect quickly, and a storm costs no more than 20 pushes a second.
 */

import type { Clock } from "../../model/clock.ts";
import type { ResourceKind } from "../../model/resources.ts";
import type { ResourceName } from "../compile/compiler.ts";
import type { Snapshot } from "../snapshot.ts";
import { traced } from "../tracing.ts";
import { countAcks, type Holder, type ResourceAcks, standingOf } from "./acks.ts";
import { type ResourceKey, resourceKey, splitKey } from "./resource-key.ts";
import { type Answer, type LagReason, Subscriber, type Subscription, type Write } from "./subscriber.ts";
import { UpdateEncoder } from "./update-encoder.ts";

export interface PushEvents {
  /** A resource was encoded, once for all of its subscribers. */
  readonly encoded: () => void;
  /** One write to one subscriber, of one or more resources. */
  readonly written: (bytes: number) => void;
  readonly acked: (secondsSinceChange: number) => void;
  readonly nacked: () => void;
  /** A sidecar asked for another workload's Inbound. */
  readonly refused: () => void;
}

/** Called when the acks of a resource may have changed. It must be cheap: it is called for each ack. */
export type AckListener = (key: ResourceKey) => void;

const firstWindowMs = 10;
const longestWindowMs = 50;
/** How many subscriptions a new sidecar gets without asking; if its workload dials more, it gets the first ones. */
const maxForSibling = 400;

/** The sidecar at the other end of a stream. */
export interface Peer {
  /** From its certificate. */
  readonly identity: string;
  /** By the sidecar's own account; for people only. */
  readonly pod: string;
  readonly namespace: string;
  readonly workload: string;
  readonly proxyVersion: string;
}

export interface SidecarLag {
  /** `namespace/pod` */
  readonly sidecar: string;
  readonly reason: LagReason;
  /** The number of resources whose newest version it lacks. */
  readonly versions: number;
  /** Time since the oldest change that it lacks was published. */
  readonly seconds: number;
}

/** The resources that sidecars hold, by `namespace/name` of their workload. */
export type Holdings = Readonly<Record<string, readonly ResourceName[]>>;

export interface HubOptions {
  readonly snapshot: Snapshot;
  /** Called with true before the first subscriber of a resource is answered, and with false when the last has gone. */
  readonly setWanted?: (kind: ResourceKind, name: string, wanted: boolean) => void;
  readonly clock: Clock;
  readonly events: PushEvents;
  /** Calls once after a delay; for tests. Default: `setTimeout`, not keeping the process alive. */
  readonly after?: (delayMs: number, call: () => void) => void;
}

export class PushHub {
  readonly #options: HubOptions;
  readonly #encoder: UpdateEncoder;
  readonly #subscribers = new Map<Subscriber, Peer>();
  /** The subscribers of one workload under one identity, longest connected first. */
  readonly #siblings = new Map<string, Set<Subscriber>>();
  readonly #byResource = new Map<ResourceKey, Set<Subscriber>>();
  readonly #changed = new Map<ResourceKey, number>();
  readonly #ackListeners = new Set<AckListener>();
  readonly #stopWatching: () => void;
  #window: "closed" | "opening" | "open" = "closed";
  #windowMs = firstWindowMs;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#encoder = new UpdateEncoder(options.events.encoded);
    this.#stopWatching = options.snapshot.watch((kind, name) => this.#onChange(kind, name));
  }

  get subscriberCount(): number {
    return this.#subscribers.size;
  }

  peers(): readonly Peer[] {
    return [...this.#subscribers.values()];
  }

  close(): void {
    this.#stopWatching();
  }

  /** Watches until the returned function is called. */
  watchAcks(listener: AckListener): () => void {
    this.#ackListeners.add(listener);
    return () => void this.#ackListeners.delete(listener);
  }

  join(peer: Peer, write: Write): Subscriber {
    const { events } = this.#options;
    const subscriber = new Subscriber({
      encoder: this.#encoder,
      answer: (kind, name) => this.#answer(peer, kind, name),
      write: (bytes) => {
        events.written(bytes.length);
        return write(bytes);
      },
    });
    this.#subscribers.set(subscriber, peer);
    const siblings = this.#siblings.get(familyOf(peer));
    if (siblings === undefined) this.#siblings.set(familyOf(peer), new Set([subscriber]));
    else siblings.add(subscriber);
    return subscriber;
  }

  /**
   * Subscribes a new sidecar to whatever the longest-connected sidecar of its workload uses, and sends it, so that what its
   * application will probably dial is there in advance. The sidecar itself asks for its own workload's Inbound.
   */
  subscribeLikeSibling(subscriber: Subscriber): void {
    const peer = this.#subscribers.get(subscriber);
    if (peer === undefined) return;
    const [sibling] = this.#siblings.get(familyOf(peer)) ?? [];
    if (sibling === undefined || sibling === subscriber) return;
    const used = [...sibling.subscriptions.values()]
      .filter(({ kind, sent }) => kind !== "inbound" && sent.kind === "version")
      .slice(0, maxForSibling);
    if (used.length === 0) return;
    subscriber.announce(used);
    for (const { kind, name } of used) this.subscribe(subscriber, kind, name, "");
    subscriber.flush();
  }

  leave(subscriber: Subscriber): void {
    const peer = this.#subscribers.get(subscriber);
    this.#subscribers.delete(subscriber);
    if (peer !== undefined) this.#leaveSiblings(subscriber, familyOf(peer));
    for (const key of subscriber.subscriptions.keys()) this.#forget(key, subscriber);
  }

  /** The resource is sent with the next `flush`. */
  subscribe(subscriber: Subscriber, kind: ResourceKind, name: string, knownVersion: string): void {
    const key = resourceKey(kind, name);
    subscriber.subscribe(kind, name, knownVersion, this.#options.clock.now());
    const others = this.#byResource.get(key);
    if (others === undefined) {
      this.#options.setWanted?.(kind, name, true);
      this.#byResource.set(key, new Set([subscriber]));
    } else others.add(subscriber);
    this.#notifyAcks(key);
  }

  unsubscribe(subscriber: Subscriber, kind: ResourceKind, name: string): void {
    const key = resourceKey(kind, name);
    // Nobody need hear of a name that was never subscribed, and it may be any text.
    if (!subscriber.subscriptions.has(key)) return;
    subscriber.unsubscribe(kind, name);
    this.#forget(key, subscriber);
  }

  /** An ack of an old version does not count for the current one. */
  ack(subscriber: Subscriber, key: ResourceKey, version: string): void {
    const subscription = this.#answered(subscriber, key, version);
    if (subscription === undefined) return;
    subscriber.acked(subscription, version);
    this.#notifyAcks(key);
    this.#options.events.acked((this.#options.clock.now() - subscription.changedAtMs) / 1000);
  }

  /** Returns false if no such resource was sent, or if the subscriber acknowledged it before. */
  nack(subscriber: Subscriber, key: ResourceKey, version: string, reason: string): boolean {
    const subscription = this.#answered(subscriber, key, version);
    if (subscription === undefined || subscription.nack?.version === version) return false;
    subscriber.nacked(subscription, version, reason);
    this.#notifyAcks(key);
    this.#options.events.nacked();
    return true;
  }

  /** The acks of one resource; 0 subscribers if nobody asked for it. */
  acksOf(kind: ResourceKind, name: string): ResourceAcks {
    const key = resourceKey(kind, name);
    const { snapshot } = this.#options;
    const subscriptions: { pod: string; subscription: Subscription; version: string | undefined }[] = [];
    for (const subscriber of this.#byResource.get(key) ?? []) {
      const subscription = subscriber.subscriptions.get(key);
      const pod = this.#subscribers.get(subscriber)?.pod ?? "";
      const version = snapshot.get(kind, name, pod)?.version;
      if (subscription !== undefined) subscriptions.push({ pod, subscription, version });
    }
    return countAcks(kind, name, snapshot.versionOf(kind, name), subscriptions);
  }

  /** This replica's sidecars that lack the newest version of something; each once per reason. */
  lags(): SidecarLag[] {
    const nowMs = this.#options.clock.now();
    return [...this.#subscribers].flatMap(([subscriber, { namespace, pod }]) =>
      [...subscriber.lags()].map(([reason, { versions, sinceMs }]) => ({
        sidecar: `${namespace}/${pod}`,
        reason,
        versions,
        seconds: (nowMs - sinceMs) / 1000,
      })),
    );
  }

  /** Every sidecar of this replica that asked for a resource. */
  holders(kind: ResourceKind, name: string): Holder[] {
    const key = resourceKey(kind, name);
    const { snapshot } = this.#options;
    return [...(this.#byResource.get(key) ?? [])].flatMap((subscriber) => {
      const peer = this.#subscribers.get(subscriber);
      const subscription = subscriber.subscriptions.get(key);
      const state = subscription && standingOf(subscription, snapshot.get(kind, name, peer?.pod)?.version);
      return peer === undefined || state === undefined ? [] : [{ pod: `${peer.namespace}/${peer.pod}`, ...state }];
    });
  }

  /** What this replica's sidecars asked for and may have. */
  holdings(): Holdings {
    const held = new Map<string, Map<ResourceKey, ResourceName>>();
    for (const [subscriber, { namespace, workload }] of this.#subscribers) {
      const of = held.get(`${namespace}/${workload}`) ?? new Map<ResourceKey, ResourceName>();
      held.set(`${namespace}/${workload}`, of);
      for (const [key, { kind, name, sent }] of subscriber.subscriptions)
        if (sent.kind === "version") of.set(key, { kind, name });
    }
    return Object.fromEntries([...held].map(([workload, of]) => [workload, [...of.values()]]));
  }

  /** The acks of every resource with a subscriber. */
  acks(): readonly ResourceAcks[] {
    return [...this.#byResource.keys()].sort().map((key) => this.acksOf(...splitKey(key)));
  }

  #leaveSiblings(subscriber: Subscriber, family: string): void {
    const siblings = this.#siblings.get(family);
    siblings?.delete(subscriber);
    if (siblings?.size === 0) this.#siblings.delete(family);
  }

  #answer(peer: Peer, kind: ResourceKind, name: string): Answer {
    const { snapshot, events } = this.#options;
    const published = snapshot.get(kind, name, peer.pod);
    if (published === undefined) return { kind: "absent" };
    if (kind === "inbound" && snapshot.workloadIdentity(name, peer.pod) !== peer.identity) {
      events.refused();
      return { kind: "refused", reason: `${name} is not a workload of ${peer.identity}` };
    }
    return { kind: "published", published };
  }

  /** The subscription, if the answer is about the version that was sent last. */
  #answered(subscriber: Subscriber, key: ResourceKey, version: string): Subscription | undefined {
    const subscription = subscriber.subscriptions.get(key);
    if (subscription?.sent.kind !== "version") return undefined;
    if (subscription.sent.version === version) return subscription;
    subscriber.answeredLate(subscription);
    return undefined;
  }

  #forget(key: ResourceKey, subscriber: Subscriber): void {
    const others = this.#byResource.get(key);
    others?.delete(subscriber);
    if (others?.size === 0) {
      this.#byResource.delete(key);
      this.#options.setWanted?.(...splitKey(key), false);
    }
    this.#notifyAcks(key);
  }

  #notifyAcks(key: ResourceKey): void {
    for (const listener of this.#ackListeners) listener(key);
  }

  #onChange(kind: ResourceKind, name: string): void {
    const key = resourceKey(kind, name);
    if (!this.#byResource.has(key)) return;
    this.#notifyAcks(key);
    if (!this.#changed.has(key)) this.#changed.set(key, this.#options.clock.now());
    if (this.#window !== "closed") return;
    this.#window = "opening";
    // A commit announces its changes one by one: they are sent together, right after it.
    queueMicrotask(() => this.#push());
  }

  #push(): void {
    if (this.#changed.size === 0) {
      this.#window = "closed";
      this.#windowMs = firstWindowMs;
      return;
    }
    const touched = new Set<Subscriber>();
    for (const [key, changedAtMs] of this.#changed) {
      for (const subscriber of this.#byResource.get(key) ?? []) {
        subscriber.markDue(key, changedAtMs);
        touched.add(subscriber);
      }
    }
    const sizes = { "tulle.resources": this.#changed.size, "tulle.subscribers": touched.size };
    this.#changed.clear();
    traced("push", sizes, () => {
      for (const subscriber of touched) subscriber.flush();
    });
    this.#window = "open";
    const { after = afterTimeout } = this.#options;
    after(this.#windowMs, () => this.#push());
    this.#windowMs = Math.min(2 * this.#windowMs, longestWindowMs);
  }
}

/** The sidecar's workload is its own claim; its identity is proven. */
function familyOf({ identity, namespace, workload }: Peer): string {
  return `${identity} ${namespace}/${workload}`;
}

function afterTimeout(delayMs: number, call: () => void): void {
  setTimeout(call, delayMs).unref();
}
