import { describe, expect, it } from "vitest";
import { type Peer, PushHub } from "../../../control-plane/push/push-hub.ts";
import type { Subscriber } from "../../../control-plane/push/subscriber.ts";
import { Snapshot } from "../../../control-plane/snapshot.ts";
import type { Resource } from "../../../model/resources.ts";
import { decodeName, decodeUpdate } from "../../../proto/decode.ts";
import { MessageReader } from "../../../proto/message-reader.ts";
import { HandClock } from "../../support/hand-clock.ts";

const orders = "spiffe://cluster.local/ns/shop/sa/orders";
const peer = (pod: string, identity = orders): Peer => ({
  identity,
  pod,
  namespace: "shop",
  workload: "orders",
  proxyVersion: "0.1.0",
});

function endpoints(name: string, ...ports: number[]): Resource {
  const list = ports.map((port) => ({ address: `10.0.0.1:${port}`, pod: "p", state: "ready" as const }));
  return {
    kind: "endpoints",
    value: { name, service: { namespace: "shop", name }, protocol: "http1", endpoints: list },
  };
}

class Setting {
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
class Reader {
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

const versionOf = ({ snapshot }: Setting, name: string) => snapshot.get("endpoints", name)?.version ?? "none";

describe("a sidecar that comes", () => {
  it("is subscribed to what the sibling that is there longest has, Inbound and absent things excepted", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1), endpoints("b", 1));
    setting.join("p1").subscribe("a").subscribe("gone");
    setting.join("p2").subscribe("b");
    const late = setting.join("p3");
    setting.hub.subscribeLikeSibling(late.subscriber);
    expect(late.heard).toEqual(["a subscribed", `a ${versionOf(setting, "a")}`]);
    expect(setting.hub.acksOf("endpoints", "a").subscribers).toBe(2);
  });

  it("is not subscribed to what its sibling has let go, nor to what it was given and has let go itself", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1), endpoints("b", 1), endpoints("c", 1));
    const first = setting.join("p1").subscribe("a").subscribe("b").subscribe("c");
    setting.hub.unsubscribe(first.subscriber, "endpoints", "b");
    const second = setting.join("p2");
    setting.hub.subscribeLikeSibling(second.subscriber);
    expect(second.heard.filter((line) => line.endsWith(" subscribed"))).toEqual(["a subscribed", "c subscribed"]);

    setting.hub.unsubscribe(second.subscriber, "endpoints", "c");
    setting.hub.leave(first.subscriber);
    const third = setting.join("p3");
    setting.hub.subscribeLikeSibling(third.subscriber);
    expect(third.heard).toEqual(["a subscribed", `a ${versionOf(setting, "a")}`]);
  });

  it("is subscribed to nothing where it is the first, or of another identity", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const [first, other] = [
      setting.join("p1").subscribe("a"),
      setting.join("p2", "spiffe://cluster.local/ns/shop/sa/web"),
    ];
    for (const { subscriber } of [first, other]) setting.hub.subscribeLikeSibling(subscriber);
    expect(first.heard).toHaveLength(1);
    expect(other.heard).toEqual([]);
  });

  it("is subscribed to so much and no more", async () => {
    const setting = new Setting();
    const names = Array.from({ length: 500 }, (_, index) => `e${index}`);
    await setting.publish(...names.map((name) => endpoints(name, 1)));
    const first = setting.join("p1");
    for (const name of names) first.subscribe(name);
    const late = setting.join("p2");
    setting.hub.subscribeLikeSibling(late.subscriber);
    expect(late.subscriber.subscriptions.size).toBe(400);
  });
});

describe("a subscription", () => {
  it("is answered by what there is, or by absence", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const reader = setting.join("p1").subscribe("a").subscribe("b");
    expect(reader.heard).toEqual([`a ${versionOf(setting, "a")}`, "b absent"]);
  });

  it("is wanted from the first subscriber to the last", () => {
    const setting = new Setting();
    const [one, two] = [setting.join("p1").subscribe("a"), setting.join("p2").subscribe("a").subscribe("b")];
    expect(setting.wanted).toEqual(["endpoints a true", "endpoints b true"]);
    setting.hub.unsubscribe(one.subscriber, "endpoints", "a");
    setting.hub.unsubscribe(one.subscriber, "endpoints", "never");
    expect(setting.wanted).toHaveLength(2);
    setting.hub.leave(two.subscriber);
    expect(setting.wanted.slice(2)).toEqual(["endpoints a false", "endpoints b false"]);
  });

  it("is not answered where the version is known", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const reader = setting.join("p1").subscribe("a", versionOf(setting, "a"));
    expect(reader.heard).toEqual([]);
    expect(setting.hub.acksOf("endpoints", "a")).toMatchObject({ subscribers: 1, acked: 1 });
  });

  it("with a former version is answered by the present one", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    expect(setting.join("p1").subscribe("a", "older").heard).toEqual([`a ${versionOf(setting, "a")}`]);
  });

  it("to another workload's inbound is refused", () => {
    const setting = new Setting();
    const inbound: Resource = { kind: "inbound", value: { name: "shop/orders", ports: [] } };
    setting.snapshot.commit({ published: [inbound], withdrawn: [], identities: new Map([["shop/orders", orders]]) });
    const thief = setting
      .join("evil", "spiffe://cluster.local/ns/shop/sa/orders2")
      .subscribe("shop/orders", "", "inbound");
    expect(thief.heard).toEqual(["shop/orders refused"]);
    expect(setting.join("p1").subscribe("shop/orders", "", "inbound").heard).toEqual([
      `shop/orders ${setting.snapshot.get("inbound", "shop/orders")?.version}`,
    ]);
    expect(setting.seen.refused).toBe(1);
    expect(setting.hub.acksOf("inbound", "shop/orders").subscribers).toBe(1);
  });

  it("to another workload's inbound that appears later is refused then", async () => {
    const setting = new Setting();
    const thief = setting.join("evil", "spiffe://cluster.local/ns/evil/sa/x").subscribe("shop/orders", "", "inbound");
    expect(thief.heard).toEqual(["shop/orders absent"]);
    const inbound: Resource = { kind: "inbound", value: { name: "shop/orders", ports: [] } };
    setting.snapshot.commit({ published: [inbound], withdrawn: [], identities: new Map([["shop/orders", orders]]) });
    await Promise.resolve();
    expect(thief.heard).toEqual(["shop/orders absent", "shop/orders refused"]);
  });
});

describe("a change", () => {
  it("is encoded once for all subscribers", async () => {
    const setting = new Setting();
    const readers = ["p1", "p2", "p3"].map((pod) => setting.join(pod).subscribe("a"));
    await setting.publish(endpoints("a", 1));
    expect(setting.seen.encoded).toBe(1);
    for (const { heard } of readers) expect(heard).toEqual(["a absent", `a ${versionOf(setting, "a")}`]);
  });

  it("goes to nobody who did not ask for it", async () => {
    const setting = new Setting();
    const reader = setting.join("p1").subscribe("a");
    await setting.publish(endpoints("b", 1));
    expect(reader.heard).toEqual(["a absent"]);
    expect(setting.seen.encoded).toBe(0);
  });

  it("goes out at once, and all of one commit in one message", async () => {
    const setting = new Setting();
    const reader = setting.join("p1").subscribe("a").subscribe("b");
    await setting.publish(endpoints("b", 1), endpoints("a", 1));
    expect(reader.messages.at(-1)).toEqual([`a ${versionOf(setting, "a")}`, `b ${versionOf(setting, "b")}`]);
  });

  it("within the window after another goes out at its end, in its last version only", async () => {
    const setting = new Setting();
    const reader = setting.join("p1").subscribe("a");
    for (const port of [1, 2, 3]) await setting.publish(endpoints("a", port));
    expect(reader.heard).toHaveLength(2);
    setting.endWindow();
    expect(reader.heard).toHaveLength(3);
    expect(reader.heard.at(-1)).toBe(`a ${versionOf(setting, "a")}`);
    setting.endWindow();
    await setting.publish(endpoints("a", 4));
    expect(reader.heard).toHaveLength(4);
  });

  it("in a storm of them waits for longer and longer, up to 50 ms, and no longer once it is over", async () => {
    const setting = new Setting();
    setting.join("p1").subscribe("a");
    await setting.publish(endpoints("a", 1));
    for (let port = 2; port <= 5; port++) {
      await setting.publish(endpoints("a", port));
      setting.endWindow();
    }
    setting.endWindow();
    await setting.publish(endpoints("a", 6));
    expect(setting.windowsMs).toEqual([10, 20, 40, 50, 50, 10]);
  });

  it("that is taken back within the window is not told", async () => {
    const setting = new Setting();
    const reader = setting.join("p1").subscribe("a");
    await setting.publish(endpoints("a", 1));
    await setting.publish(endpoints("a", 2));
    await setting.publish(endpoints("a", 1));
    setting.endWindow();
    expect(reader.heard).toEqual(["a absent", `a ${versionOf(setting, "a")}`]);
  });

  it("is told as absence when the resource goes", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const reader = setting.join("p1").subscribe("a");
    setting.endWindow();
    setting.endWindow();
    await setting.withdraw("a");
    expect(reader.heard.at(-1)).toBe("a absent");
  });
});

describe("a slow reader", () => {
  it("is told the newest state once it reads again, and no state between", async () => {
    const setting = new Setting();
    const reader = setting.join("p1").subscribe("a").subscribe("b");
    reader.stopped = true;
    await setting.publish(endpoints("a", 1));
    for (let port = 2; port < 100; port++) {
      await setting.publish(endpoints("a", port), endpoints("b", port));
      setting.endWindow();
    }
    expect(reader.messages).toHaveLength(3);
    reader.stopped = false;
    reader.subscriber.resume();
    expect(reader.messages.slice(3)).toEqual([[`a ${versionOf(setting, "a")}`, `b ${versionOf(setting, "b")}`]]);
  });
});

describe("the ack table", () => {
  it("counts who has the version in force, who refused it and who is silent", async () => {
    const setting = new Setting();
    const [one, two] = ["p1", "p2", "p3"].map((pod) => setting.join(pod).subscribe("a"));
    await setting.publish(endpoints("a", 1));
    const version = versionOf(setting, "a");
    setting.clock.advance(250);
    if (one) setting.hub.ack(one.subscriber, "endpoints", "a", version);
    if (two) setting.hub.nack(two.subscriber, "endpoints", "a", version, "no such zone");
    expect(setting.hub.acksOf("endpoints", "a")).toEqual({
      kind: "endpoints",
      name: "a",
      version,
      subscribers: 3,
      acked: 1,
      nacks: [{ pod: "p2", reason: "no such zone" }],
      laggards: ["p3"],
    });
    expect(setting.seen.acked).toEqual([0.25]);
    await setting.publish(endpoints("a", 2));
    setting.endWindow();
    expect(setting.hub.acksOf("endpoints", "a")).toMatchObject({ acked: 0, nacks: [], laggards: ["p1", "p2", "p3"] });
  });

  it("takes no ack of a version that was not told, nor of a name that was not asked for", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const { subscriber } = setting.join("p1").subscribe("a");
    setting.hub.ack(subscriber, "endpoints", "a", "other");
    setting.hub.ack(subscriber, "endpoints", "b", "other");
    setting.hub.nack(subscriber, "endpoints", "a", "other", "x");
    expect(setting.hub.acksOf("endpoints", "a")).toMatchObject({ acked: 0, nacks: [], laggards: ["p1"] });
  });

  it("counts once that a version can't be applied, however often a sidecar says so", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const version = versionOf(setting, "a");
    const { subscriber } = setting.join("p1").subscribe("a");
    expect(setting.hub.nack(subscriber, "endpoints", "a", version, "no such zone")).toBe(true);
    expect(setting.hub.nack(subscriber, "endpoints", "a", version, "no such zone")).toBe(false);
    expect(setting.hub.nack(subscriber, "endpoints", "b", version, "never asked for")).toBe(false);
    expect(setting.seen.nacked).toBe(1);
  });

  it("names ten laggards at most", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    for (let i = 0; i < 30; i++) setting.join(`p${i}`).subscribe("a");
    const { subscribers, laggards } = setting.hub.acksOf("endpoints", "a");
    expect([subscribers, laggards.length]).toEqual([30, 10]);
  });

  it("tells what each workload holds, each thing once, and nothing that it may not have or that is not there", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1), endpoints("b", 1));
    setting.join("p1").subscribe("a").subscribe("none").subscribe("shop/other", "", "inbound");
    setting.join("p2").subscribe("a").subscribe("b");
    expect(setting.hub.holdings()).toEqual({
      "shop/orders": [
        { kind: "endpoints", name: "a" },
        { kind: "endpoints", name: "b" },
      ],
    });
  });

  it("forgets who left or unsubscribed", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const one = setting.join("p1").subscribe("a");
    const two = setting.join("p2").subscribe("a");
    setting.hub.leave(one.subscriber);
    setting.hub.unsubscribe(two.subscriber, "endpoints", "a");
    expect(setting.hub.acks()).toEqual([]);
    expect(setting.hub.subscriberCount).toBe(1);
  });
});

describe("a sidecar that is behind", () => {
  it("is told of with how many versions it lacks, since when, and why; and no longer once it has all", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1), endpoints("b", 1));
    const one = setting.join("p1").subscribe("a").subscribe("b");
    const other = setting.join("p2").subscribe("a");
    setting.hub.ack(other.subscriber, "endpoints", "a", versionOf(setting, "a"));
    setting.clock.advance(2_000);
    expect(setting.hub.lags()).toEqual([{ sidecar: "shop/p1", reason: "Pending", versions: 2, seconds: 2 }]);
    setting.hub.nack(one.subscriber, "endpoints", "a", versionOf(setting, "a"), "no such zone");
    setting.clock.advance(1_000);
    expect(setting.hub.lags()).toEqual([
      { sidecar: "shop/p1", reason: "Refused", versions: 1, seconds: 3 },
      { sidecar: "shop/p1", reason: "Pending", versions: 1, seconds: 3 },
    ]);
    setting.hub.ack(one.subscriber, "endpoints", "b", versionOf(setting, "b"));
    setting.hub.leave(other.subscriber);
    setting.endWindow();
    // What it refused is past: it is waited for its word about the next version.
    await setting.publish(endpoints("a", 2));
    setting.clock.advance(500);
    expect(setting.hub.lags()).toEqual([{ sidecar: "shop/p1", reason: "Pending", versions: 1, seconds: 0.5 }]);
    setting.hub.ack(one.subscriber, "endpoints", "a", versionOf(setting, "a"));
    expect(setting.hub.lags()).toEqual([]);
  });

  it("is behind since the oldest change that it has not answered, however many come after it", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const { subscriber } = setting.join("p1").subscribe("a");
    const first = versionOf(setting, "a");
    setting.hub.ack(subscriber, "endpoints", "a", first);
    for (const port of [2, 3, 4]) {
      await setting.publish(endpoints("a", port));
      setting.endWindow();
      setting.clock.advance(1_000);
    }
    expect(setting.hub.lags()).toEqual([{ sidecar: "shop/p1", reason: "Pending", versions: 1, seconds: 3 }]);
    // It is on its way: what it lacks is the newest.
    setting.hub.ack(subscriber, "endpoints", "a", first);
    expect(setting.hub.lags()).toEqual([{ sidecar: "shop/p1", reason: "Pending", versions: 1, seconds: 1 }]);
  });

  it("is who does not read, too, and not who may not have a thing, has it already or waits for what there is not", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const slow = setting.join("slow");
    slow.stopped = true;
    slow.subscribe("b").subscribe("a");
    setting
      .join("ready")
      .subscribe("a", versionOf(setting, "a"))
      .subscribe("none")
      .subscribe("shop/other", "", "inbound");
    setting.clock.advance(4_000);
    expect(setting.hub.lags()).toEqual([{ sidecar: "shop/slow", reason: "Pending", versions: 1, seconds: 4 }]);
    await setting.withdraw("a");
    setting.endWindow();
    slow.subscriber.resume();
    expect(setting.hub.lags()).toEqual([]);
  });
});
