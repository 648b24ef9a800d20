/**
 * `tulle.v1.Discovery`: streams of sidecars on one side, the hub on the other. It decides who may speak and how much; the hub
 * and the snapshot decide what sidecars receive.
 *
 * A stream's identity is its client certificate. It ends when that expires: a stream must not outlive its proof.
 */

import { status } from "@grpc/grpc-js";
import type { Random } from "../../model/clock.ts";
import { decodeName } from "../../proto/decode.ts";
import { encodeUpdate } from "../../proto/encode.ts";
import type { Hello__Output } from "../../proto/generated/tulle/v1/Hello.ts";
import type { SidecarMessage__Output } from "../../proto/generated/tulle/v1/SidecarMessage.ts";
import type { TrafficReport__Output } from "../../proto/generated/tulle/v1/TrafficReport.ts";
import { framed } from "../../proto/message-reader.ts";
import { decodeMessage } from "../../proto/wire.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import type { Refusal } from "../grpc/refusal.ts";
import type { ServerCall } from "../grpc/server-call.ts";
import type { ConnectedSidecar } from "../identity/sidecar-certificates.ts";
import { type Ack, AckMemo } from "./ack-memo.ts";
import { type Caller, endAtExpiry, identifyCaller } from "./caller.ts";
import type { Peer, PushHub } from "./push-hub.ts";
import { resourceKey } from "./resource-key.ts";
import type { Subscriber } from "./subscriber.ts";
import { SubscriptionBudget } from "./subscription-budget.ts";

export const streamMethod = "/tulle.v1.Discovery/Stream";

const defaultStreamMs = 30 * 60 * 1000;

export interface DiscoveryOptions {
  readonly hub: PushHub;
  /**
   * A stream ends after this long, or up to half as much again, so that sidecars spread over replicas that were added later.
   * Default 30 min.
   */
  readonly streamLifetimeMs?: number;
  /** The time a sidecar has to identify itself. Default 10 s. */
  readonly helloWithinMs?: number;
  readonly trustDomain: string;
  /** The limit for all sidecars together. Default: no limit. */
  readonly maxSubscriptions?: number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly random: Random;
  readonly log: Log;
  /** A stream was refused; called once per stream. */
  readonly onRefused: (reason: string) => void;
  /** What a sidecar reports about its traffic, not yet checked. */
  readonly onReport: (from: Peer, report: TrafficReport__Output) => void;
  /** A sidecar has identified itself. Returns a function that is called at the end of its stream. */
  readonly onJoined?: (sidecar: ConnectedSidecar) => () => void;
}

/**
 * A sidecar keeps 10,000 addresses that its application has dialled, including outside ones: a Destination for each, Endpoints
 * of their backends, and its Inbound. It must never need more than this limit: it would be refused for as long as it does.
 */
const maxSubscriptions = 32_000;
/** The total in all lists of one message: several times what a sidecar may subscribe to or report. */
const maxItems = 100_000;
const maxNameCharacters = 512;
/** Our versions are short: a longer one is not ours. */
const maxVersionCharacters = 128;
const defaultHelloMs = 10_000;
const maxReasonCharacters = 1_000;
/** A stream's further refusals are counted, and shown with the resource, but not logged: it must not flood the log. */
const maxLoggedNacks = 500;
const maxHelloCharacters = 253;
const maxTrustedRoots = 32;
const rootIdForm = /^[0-9a-f]{64}$/;

const stopping = "the control plane is stopping";

export class DiscoveryService {
  readonly #options: DiscoveryOptions;
  readonly #streams = new Set<SidecarStream>();
  readonly #acks = new AckMemo();
  readonly #budget: SubscriptionBudget;
  #draining = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#budget = new SubscriptionBudget(options.maxSubscriptions ?? Number.POSITIVE_INFINITY);
  }

  readonly answer = (call: ServerCall): void => {
    if (this.#draining) return call.end(status.UNAVAILABLE, stopping);
    const shared = { acks: this.#acks, budget: this.#budget };
    const stream: SidecarStream = new SidecarStream(call, this.#options, shared, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    stream.start();
  };

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Ends all streams, one after the other over `overMs`, so that sidecars do not reach the other replicas all at once. */
  async drain(overMs: number, wait: (ms: number) => Promise<void>): Promise<void> {
    const pauseMs = overMs / Math.max(this.#streams.size, 1);
    let owedMs = 0;
    // Streams that arrive meanwhile are refused.
    this.#draining = true;
    for (const stream of this.#streams) {
      stream.end(status.UNAVAILABLE, stopping);
      owedMs += pauseMs;
      if (owedMs < 10) continue;
      await wait(owedMs);
      owedMs = 0;
    }
  }
}

interface SharedByStreams {
  readonly acks: AckMemo;
  readonly budget: SubscriptionBudget;
}

class SidecarStream {
  readonly #call: ServerCall;
  readonly #options: DiscoveryOptions;
  readonly #shared: SharedByStreams;
  readonly #onLeft: () => void;
  #subscriber: Subscriber | undefined;
  #peer: Peer | undefined;
  #stopExpiry: () => void = () => {};
  #onJoinedLeft: (() => void) | undefined;
  #age: NodeJS.Timeout | undefined;
  #helloLimit: NodeJS.Timeout | undefined;
  #loggedNacks = 0;
  #ended = false;

  constructor(call: ServerCall, options: DiscoveryOptions, shared: SharedByStreams, onLeft: () => void) {
    this.#call = call;
    this.#options = options;
    this.#shared = shared;
    this.#onLeft = onLeft;
  }

  start(): void {
    const call = this.#call;
    const { trustDomain, wallClock } = this.#options;
    const caller = identifyCaller(call.certificateDer, trustDomain);
    if (!caller.ok) {
      this.#refuse(caller.error);
      return;
    }
    call.listen({
      message: (bytes) => this.#read(bytes, caller.value),
      drained: () => this.#subscriber?.resume(),
      halfClosed: () => this.end(status.OK, ""),
      closed: () => this.#leave(),
    });
    this.#stopExpiry = endAtExpiry(caller.value, wallClock, () =>
      this.end(status.UNAUTHENTICATED, "the client certificate has expired"),
    );
    const { streamLifetimeMs = defaultStreamMs, random } = this.#options;
    // At different times, so that they do not all come back at once.
    const endMs = streamLifetimeMs * (1 + random() / 2);
    this.#age = setTimeout(() => this.end(status.UNAVAILABLE, "this stream is old, open another"), endMs).unref();
    const { helloWithinMs = defaultHelloMs } = this.#options;
    const late = (): void => this.#reject("late", status.DEADLINE_EXCEEDED, `no hello within ${helloWithinMs} ms`);
    this.#helloLimit = setTimeout(late, helloWithinMs).unref();
  }

  end(code: status, details: string): void {
    if (this.#ended) return;
    this.#leave();
    this.#call.end(code, details);
  }

  /** The identity in its client certificate; empty: none was presented. */
  get identity(): string {
    return this.#peer?.identity ?? "";
  }

  giveUp(): void {
    const { identity, namespace, pod } = this.#peer ?? {};
    const subscriptions = this.#subscriber?.subscriptions.size;
    this.#options.log("warn", "stream ended", { reason: "subscriptions", identity, namespace, pod, subscriptions });
    this.#reject(
      "subscriptions",
      status.RESOURCE_EXHAUSTED,
      "all streams of this identity have too many subscriptions",
    );
  }

  /** Refuses a message that is not allowed. */
  #reject(why: Refusal, code: status, details: string): void {
    if (this.#ended) return;
    this.#leave();
    this.#call.refuse(why, code, details);
  }

  #leave(): void {
    this.#ended = true;
    this.#stopExpiry();
    clearTimeout(this.#age);
    clearTimeout(this.#helloLimit);
    this.#onLeft();
    this.#onJoinedLeft?.();
    this.#onJoinedLeft = undefined;
    if (this.#subscriber !== undefined) this.#options.hub.leave(this.#subscriber);
    this.#subscriber = undefined;
    this.#shared.budget.change(this, 0);
  }

  #refuse(reason: string): void {
    this.#options.onRefused(reason);
    this.#options.log("warn", "stream refused", { reason, caller: this.#call.caller });
    this.#reject("identity", status.PERMISSION_DENIED, reason);
  }

  #read(bytes: Buffer, caller: Caller): void {
    if (this.#ended) return;
    const ack = this.#shared.acks.find(bytes);
    if (ack !== undefined && this.#subscriber !== undefined) return this.#acknowledge(this.#subscriber, ack);
    let message: SidecarMessage__Output;
    try {
      message = decodeMessage("SidecarMessage", bytes, maxItems);
    } catch (error) {
      this.#reject("malformed", status.INVALID_ARGUMENT, `a message that can't be read: ${reasonOf(error)}`);
      return;
    }
    this.#take(message, caller);
    const acked = ackAlone(message);
    if (acked !== undefined) this.#shared.acks.keep(bytes, acked);
  }

  #take(message: SidecarMessage__Output, caller: Caller): void {
    if (message.hello) return this.#greet(message.hello, caller);
    const subscriber = this.#subscriber;
    if (subscriber === undefined) {
      this.#reject("malformed", status.INVALID_ARGUMENT, "the first message must be hello");
      return;
    }
    const { hub } = this.#options;
    const { subscribe, unsubscribe, ack, nack, report } = message;
    if (subscribe) this.#subscribe(subscriber, subscribe.subscriptions);
    for (const name of unsubscribe?.resources ?? []) {
      const resource = decodeName(name);
      if (resource) hub.unsubscribe(subscriber, resource.kind, resource.name);
    }
    if (subscribe || unsubscribe) this.#recount(subscriber);
    if (report && this.#peer) this.#options.onReport(this.#peer, report);
    const acked = readAck(ack);
    if (acked) this.#acknowledge(subscriber, acked);
    const nacked = decodeName(nack?.resource ?? null);
    if (nacked && nack) {
      const reason = nack.reason.slice(0, maxReasonCharacters);
      const isNews = hub.nack(subscriber, resourceKey(nacked.kind, nacked.name), nack.version, reason);
      const { identity } = caller;
      if (isNews && this.#loggedNacks++ < maxLoggedNacks)
        this.#options.log("warn", "update nacked", { ...nacked, version: nack.version, reason, identity });
    }
  }

  #acknowledge(subscriber: Subscriber, { key, kind, name, version }: Ack): void {
    this.#options.hub.ack(subscriber, key, version);
    this.#options.log("debug", "update acked", { kind, name, version, identity: this.identity });
  }

  #greet(hello: Hello__Output, { identity, notAfterMs, certificateDer }: Caller): void {
    if (this.#subscriber !== undefined) {
      this.#reject("malformed", status.INVALID_ARGUMENT, "hello came twice");
      return;
    }
    const cut = (text: string): string => text.slice(0, maxHelloCharacters);
    const peer = {
      identity,
      namespace: cut(hello.namespace),
      workload: cut(hello.workload),
      pod: cut(hello.pod),
      proxyVersion: cut(hello.proxyVersion),
    };
    clearTimeout(this.#helloLimit);
    this.#peer = peer;
    this.#subscriber = this.#options.hub.join(peer, (bytes) => this.#call.write(bytes));
    // Tells the sidecar that it is accepted, before there is anything to send.
    this.#call.open();
    if (hello.takesSubscriptions) this.#options.hub.subscribeLikeSibling(this.#subscriber);
    this.#options.log("info", "sidecar connected", peer);
    const { namespace, workload, pod } = peer;
    this.#onJoinedLeft = this.#options.onJoined?.({
      identity,
      namespace,
      workload,
      pod,
      notAfterMs,
      certificateDer,
      trustedRoots: hello.trustedRoots.slice(0, maxTrustedRoots).filter((id) => rootIdForm.test(id)),
      renew: (withinMs) => void this.#call.write(framed(encodeUpdate({ renewWithinMs: withinMs }))),
    });
    this.#recount(this.#subscriber);
  }

  #recount({ subscriptions }: Subscriber): void {
    if (!this.#ended) this.#shared.budget.change(this, subscriptions.size);
  }

  #subscribe(subscriber: Subscriber, wanted: NonNullable<SidecarMessage__Output["subscribe"]>["subscriptions"]): void {
    for (const { resource, knownVersion } of wanted) {
      const name = decodeName(resource);
      if (name === undefined || name.name === "" || name.name.length > maxNameCharacters) {
        this.#reject("malformed", status.INVALID_ARGUMENT, "a subscription without a valid resource name");
        return;
      }
      if (subscriber.subscriptions.size >= maxSubscriptions) {
        this.#reject("subscriptions", status.RESOURCE_EXHAUSTED, `at most ${maxSubscriptions} subscriptions`);
        return;
      }
      if (knownVersion.length > maxVersionCharacters) {
        this.#reject(
          "malformed",
          status.INVALID_ARGUMENT,
          `a known version of more than ${maxVersionCharacters} characters`,
        );
        return;
      }
      this.#options.hub.subscribe(subscriber, name.kind, name.name, knownVersion);
    }
    subscriber.flush();
  }
}

/** Undefined: there is none, or its kind is unknown to this build. */
function readAck(ack: SidecarMessage__Output["ack"]): Ack | undefined {
  const acked = decodeName(ack?.resource ?? null);
  return acked && ack ? { ...acked, key: resourceKey(acked.kind, acked.name), version: ack.version } : undefined;
}

/** The ack of a message that contains nothing else; otherwise undefined. */
function ackAlone({ ack, hello, subscribe, unsubscribe, nack, report }: SidecarMessage__Output): Ack | undefined {
  return hello || subscribe || unsubscribe || nack || report ? undefined : readAck(ack);
}
