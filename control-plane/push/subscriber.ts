/**
 * One stream's side of the push: what it subscribed to, what was last sent to it about each resource, and how it answered.
 *
 * What is still to be sent is kept as names, not as messages. A reader that is slow or has stopped gets the newest state once
 * it reads again, and takes no more memory than its subscriptions.
 *
 * ```
 *   change ──▶ due ──▶ sent(version) ──▶ acked
 *               ▲          │      └────▶ nacked
 *               └──────────┴─ a newer version, absence or refusal
 * ```
 */

import type { ResourceKind } from "../../model/resources.ts";
import type { PublishedResource } from "../snapshot.ts";
import { type ResourceKey, resourceKey } from "./resource-key.ts";
import type { UpdateEncoder } from "./update-encoder.ts";

/** What was last sent to a subscriber about a name. */
type Sent =
  | { readonly kind: "nothing" }
  | { readonly kind: "version"; readonly version: string }
  | { readonly kind: "absent" }
  | { readonly kind: "refused" };

export interface Subscription {
  readonly kind: ResourceKind;
  readonly name: string;
  sent: Sent;
  ackedVersion: string | undefined;
  nack: { readonly version: string; readonly reason: string } | undefined;
  /** When the change that is not acknowledged yet was published, in ms by the clock. */
  changedAtMs: number;
}

/**
 * Why a sidecar does not have something in force: it has not answered yet, or could not apply it. The words are those of
 * policies' conditions.
 */
export type LagReason = "Pending" | "Refused";

/** The resources whose newest version a sidecar lacks. */
export interface Lag {
  readonly versions: number;
  /** When the oldest change that it lacks was published, in ms by the clock. */
  readonly sinceMs: number;
}

/** The current state of a name, for one subscriber. */
export type Answer =
  | { readonly kind: "published"; readonly published: PublishedResource }
  | { readonly kind: "absent" }
  | { readonly kind: "refused"; readonly reason: string };

/** Writes bytes, one or more gRPC messages. If it returns false, wait for `Subscriber.resume`. */
export type Write = (bytes: Buffer) => boolean;

export interface SubscriberOptions {
  readonly write: Write;
  readonly answer: (kind: ResourceKind, name: string) => Answer;
  readonly encoder: UpdateEncoder;
}

/** Messages are joined up to this size; a single resource may be larger. */
const joinedBytes = 64 * 1024;

export class Subscriber {
  readonly subscriptions = new Map<ResourceKey, Subscription>();
  readonly #due = new Set<Subscription>();
  /** What the sidecar lacks, and since when. Kept separately, so that looking for laggards costs nothing for the others. */
  readonly #behind = new Map<Subscription, number>();
  readonly #options: SubscriberOptions;
  #stopped = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  /** Adds a subscription, or restarts it with the version that the sidecar claims to have. */
  subscribe(kind: ResourceKind, name: string, knownVersion: string, nowMs: number): Subscription {
    const known = knownVersion === "" ? undefined : knownVersion;
    const subscription: Subscription = {
      kind,
      name,
      sent: known === undefined ? { kind: "nothing" } : { kind: "version", version: known },
      ackedVersion: known,
      nack: undefined,
      changedAtMs: nowMs,
    };
    const key = resourceKey(kind, name);
    const before = this.subscriptions.get(key);
    if (before !== undefined) this.#drop(before);
    this.subscriptions.set(key, subscription);
    this.#due.add(subscription);
    this.#behind.set(subscription, nowMs);
    return subscription;
  }

  unsubscribe(kind: ResourceKind, name: string): void {
    const key = resourceKey(kind, name);
    const subscription = this.subscriptions.get(key);
    if (subscription === undefined) return;
    this.subscriptions.delete(key);
    this.#drop(subscription);
  }

  /** Marks a changed resource; `flush` sends it. */
  markDue(key: ResourceKey, nowMs: number): void {
    const subscription = this.subscriptions.get(key);
    if (subscription === undefined) return;
    if (!this.#due.has(subscription)) {
      subscription.changedAtMs = nowMs;
      // Whatever it refused before, it should now answer the new version.
      if (!this.#behind.has(subscription) || isRefused(subscription)) this.#behind.set(subscription, nowMs);
    }
    this.#due.add(subscription);
  }

  /** The sidecar has put in force what was last sent. */
  acked(subscription: Subscription, version: string): void {
    subscription.ackedVersion = version;
    subscription.nack = undefined;
    if (this.#due.has(subscription)) this.#behind.set(subscription, subscription.changedAtMs);
    else this.#behind.delete(subscription);
  }

  /** The sidecar can't apply what was last sent, even if it said before that it had. */
  nacked(subscription: Subscription, version: string, reason: string): void {
    subscription.nack = { version, reason };
    if (subscription.ackedVersion !== version) return;
    subscription.ackedVersion = undefined;
    this.#behind.set(subscription, subscription.changedAtMs);
  }

  /** The sidecar has answered an older version than the last one sent: it is keeping up, and lacks only the newest. */
  answeredLate(subscription: Subscription): void {
    if (this.#behind.has(subscription)) this.#behind.set(subscription, subscription.changedAtMs);
  }

  /** Empty: the sidecar has the newest version of everything. */
  lags(): ReadonlyMap<LagReason, Lag> {
    const lags = new Map<LagReason, Lag>();
    for (const [subscription, sinceMs] of this.#behind) {
      const reason = isRefused(subscription) && !this.#due.has(subscription) ? "Refused" : "Pending";
      const { versions, sinceMs: oldestMs } = lags.get(reason) ?? { versions: 0, sinceMs };
      lags.set(reason, { versions: versions + 1, sinceMs: Math.min(oldestMs, sinceMs) });
    }
    return lags;
  }

  /** Tells the sidecar what was subscribed on its behalf, before any of it is sent. */
  announce(names: readonly { readonly kind: ResourceKind; readonly name: string }[]): void {
    if (!this.#options.write(this.#options.encoder.subscribed(names))) this.#stopped = true;
  }

  /** Sends what is due, as far as the reader accepts it. */
  flush(): void {
    while (this.#due.size > 0 && !this.#stopped) {
      const bytes = this.#nextBytes();
      if (bytes.length > 0 && !this.#options.write(bytes)) this.#stopped = true;
    }
  }

  /** The reader accepts bytes again. */
  resume(): void {
    this.#stopped = false;
    this.flush();
  }

  #nextBytes(): Buffer {
    const parts: Buffer[] = [];
    let length = 0;
    for (const subscription of this.#due) {
      const part = this.#encode(subscription);
      if (part !== undefined && length > 0 && length + part.length > joinedBytes) break;
      this.#due.delete(subscription);
      if (part !== undefined) subscription.sent = part.sent;
      if (hasAll(subscription)) this.#behind.delete(subscription);
      if (part === undefined) continue;
      parts.push(part.bytes);
      length += part.length;
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  /** Undefined: the sidecar already has it. */
  #encode({ kind, name, sent }: Subscription): { sent: Sent; bytes: Buffer; length: number } | undefined {
    const answer = this.#options.answer(kind, name);
    const { encoder } = this.#options;
    if (answer.kind === "published") {
      const { version } = answer.published;
      if (sent.kind === "version" && sent.version === version) return undefined;
      const bytes = encoder.resource(answer.published);
      return { sent: { kind: "version", version }, bytes, length: bytes.length };
    }
    if (sent.kind === answer.kind) return undefined;
    const bytes = answer.kind === "absent" ? encoder.absent(kind, name) : encoder.refused(kind, name, answer.reason);
    return { sent: { kind: answer.kind }, bytes, length: bytes.length };
  }

  #drop(subscription: Subscription): void {
    this.#due.delete(subscription);
    this.#behind.delete(subscription);
  }
}

function isRefused({ sent, nack }: Subscription): boolean {
  return sent.kind === "version" && nack?.version === sent.version;
}

/** No ack is awaited for a resource that is absent or refused. */
function hasAll({ sent, ackedVersion }: Subscription): boolean {
  return sent.kind !== "version" || sent.version === ackedVersion;
}
