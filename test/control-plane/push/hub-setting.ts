/** A hub with a snapshot that a test fills, windows that it ends, and subscribers whose reading it can stop. */

import { type Peer, PushHub } from "../../../control-plane/push/push-hub.ts";
import type { Subscriber } from "../../../control-plane/push/subscriber.ts";
import { Snapshot } from "../../../control-plane/snapshot.ts";
import type { Resource } from "../../../model/resources.ts";
import { decodeName, decodeUpdate } from "../../../proto/decode.ts";
import { MessageReader } from "../../../proto/message-reader.ts";
import { HandClock } from "../../support/hand-clock.ts";

export const orders = "spiffe://cluster.local/ns/shop/sa/orders";
const peer = (pod: string, identity = orders): Peer => ({
  identity,
  pod,
  namespace: "shop",
  workload: "orders",
  proxyVersion: "0.1.0",
});

export function endpoints(name: string, ...ports: number[]): Resource {
  const list = ports.map((port) => ({ address: `10.0.0.1:${port}`, pod: "p", state: "ready" as const }));
  return {
    kind: "endpoints",
    value: { name, service: { namespace: "shop", name }, protocol: "http1", endpoints: list },
  };
}

export class Setting {
  readonly snapshot = new Snapshot();
  readonly clock = new HandClock();
  readonly seen = { encoded: 0, written: 0, acked: [] as number[], nacked: 0, refused: 0 };
  readonly waiting: (() => void)[] = [];
  readonly windowsMs: number[] = [];
  readonly wanted: string[] = [];
  readonly hub = new PushHub({
    snapshot: this.snapshot,
    setWanted: (kind, name, wanted) => this.wanted.push(`${kind} ${name} ${wanted}`),
    clock: this.clock,
    after: (delayMs, call) => {
      this.windowsMs.push(delayMs);
      this.waiting.push(call);
    },
    events: {
      encoded: () => this.seen.encoded++,
      written: () => this.seen.written++,
      acked: (seconds) => this.seen.acked.push(seconds),
      nacked: () => this.seen.nacked++,
      refused: () => this.seen.refused++,
    },
  });

  async publish(...published: Resource[]): Promise<void> {
    this.snapshot.commit({ published, withdrawn: [], identities: new Map() });
    await Promise.resolve();
  }

  async withdraw(name: string): Promise<void> {
    this.snapshot.commit({ published: [], withdrawn: [{ kind: "endpoints", name }], identities: new Map() });
    await Promise.resolve();
  }

  /** Its time is over. */
  endWindow(): void {
    for (const call of this.waiting.splice(0)) call();
  }

  join(pod: string, identity = orders): Reader {
    return new Reader(this, peer(pod, identity));
  }
}

/** A subscriber whose reading a test can stop. */
export class Reader {
  readonly heard: string[] = [];
  readonly messages: string[][] = [];
  readonly subscriber: Subscriber;
  readonly #setting: Setting;
  stopped = false;

  constructor(setting: Setting, peer: Peer) {
    this.#setting = setting;
    this.subscriber = setting.hub.join(peer, (bytes) => {
      const words: string[] = [];
      const reader = new MessageReader(1_000_000, (message) => {
        const { resources, absent, refused, subscribed } = decodeUpdate(message);
        for (const name of subscribed) words.push(`${decodeName(name)?.name} subscribed`);
        for (const { name, version } of resources) words.push(`${name} ${version}`);
        for (const name of absent) words.push(`${decodeName(name)?.name} absent`);
        for (const { resource } of refused) words.push(`${decodeName(resource)?.name} refused`);
      });
      const wrong = reader.read(bytes);
      if (wrong !== undefined) throw new Error(wrong.says);
      this.messages.push(words);
      this.heard.push(...words);
      return !this.stopped;
    });
  }

  subscribe(name: string, known = "", kind: "endpoints" | "inbound" = "endpoints"): this {
    this.#setting.hub.subscribe(this.subscriber, kind, name, known);
    this.subscriber.flush();
    return this;
  }
}

export const versionOf = ({ snapshot }: Setting, name: string) => snapshot.get("endpoints", name)?.version ?? "none";
