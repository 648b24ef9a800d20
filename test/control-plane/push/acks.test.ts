import { describe, expect, it } from "vitest";
import { endpoints, Setting, versionOf } from "./hub-setting.ts";

describe("the ack table", () => {
  it("counts who has the version in force, who refused it and who is silent", async () => {
    const setting = new Setting();
    const [one, two] = ["p1", "p2", "p3"].map((pod) => setting.join(pod).subscribe("a"));
    await setting.publish(endpoints("a", 1));
    const version = versionOf(setting, "a");
    setting.clock.advance(250);
    if (one) setting.hub.ack(one.subscriber, "endpoints a", version);
    if (two) setting.hub.nack(two.subscriber, "endpoints a", version, "no such zone");
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
    setting.hub.ack(subscriber, "endpoints a", "other");
    setting.hub.ack(subscriber, "endpoints b", "other");
    setting.hub.nack(subscriber, "endpoints a", "other", "x");
    expect(setting.hub.acksOf("endpoints", "a")).toMatchObject({ acked: 0, nacks: [], laggards: ["p1"] });
  });

  it("counts once that a version can't be applied, however often a sidecar says so", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const version = versionOf(setting, "a");
    const { subscriber } = setting.join("p1").subscribe("a");
    expect(setting.hub.nack(subscriber, "endpoints a", version, "no such zone")).toBe(true);
    expect(setting.hub.nack(subscriber, "endpoints a", version, "no such zone")).toBe(false);
    expect(setting.hub.nack(subscriber, "endpoints b", version, "never asked for")).toBe(false);
    expect(setting.seen.nacked).toBe(1);
  });

  it("takes a sidecar's last word on a version", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const version = versionOf(setting, "a");
    const { subscriber } = setting.join("p1").subscribe("a");
    setting.hub.ack(subscriber, "endpoints a", version);
    setting.hub.nack(subscriber, "endpoints a", version, "not for this port");
    expect(setting.hub.acksOf("endpoints", "a")).toMatchObject({ acked: 0, nacks: [{ reason: "not for this port" }] });
    expect(setting.hub.lags()).toMatchObject([{ reason: "Refused", versions: 1 }]);
    setting.hub.ack(subscriber, "endpoints a", version);
    expect(setting.hub.acksOf("endpoints", "a")).toMatchObject({ acked: 1, nacks: [] });
    expect(setting.hub.lags()).toEqual([]);
  });

  it("is of no name that a sidecar gives up without having asked for it", () => {
    const setting = new Setting();
    const told: string[] = [];
    setting.hub.watchAcks((key) => told.push(key));
    const { subscriber } = setting.join("p1").subscribe("a");
    setting.hub.unsubscribe(subscriber, "endpoints", "never");
    setting.hub.unsubscribe(subscriber, "endpoints", "a");
    setting.hub.unsubscribe(subscriber, "endpoints", "a");
    expect(told).toEqual(["endpoints a", "endpoints a"]);
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
    setting.hub.ack(other.subscriber, "endpoints a", versionOf(setting, "a"));
    setting.clock.advance(2_000);
    expect(setting.hub.lags()).toEqual([{ sidecar: "shop/p1", reason: "Pending", versions: 2, seconds: 2 }]);
    setting.hub.nack(one.subscriber, "endpoints a", versionOf(setting, "a"), "no such zone");
    setting.clock.advance(1_000);
    expect(setting.hub.lags()).toEqual([
      { sidecar: "shop/p1", reason: "Refused", versions: 1, seconds: 3 },
      { sidecar: "shop/p1", reason: "Pending", versions: 1, seconds: 3 },
    ]);
    setting.hub.ack(one.subscriber, "endpoints b", versionOf(setting, "b"));
    setting.hub.leave(other.subscriber);
    setting.endWindow();
    // What it refused is past: it is waited for its word about the next version.
    await setting.publish(endpoints("a", 2));
    setting.clock.advance(500);
    expect(setting.hub.lags()).toEqual([{ sidecar: "shop/p1", reason: "Pending", versions: 1, seconds: 0.5 }]);
    setting.hub.ack(one.subscriber, "endpoints a", versionOf(setting, "a"));
    expect(setting.hub.lags()).toEqual([]);
  });

  it("is behind since the oldest change that it has not answered, however many come after it", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const { subscriber } = setting.join("p1").subscribe("a");
    const first = versionOf(setting, "a");
    setting.hub.ack(subscriber, "endpoints a", first);
    for (const port of [2, 3, 4]) {
      await setting.publish(endpoints("a", port));
      setting.endWindow();
      setting.clock.advance(1_000);
    }
    expect(setting.hub.lags()).toEqual([{ sidecar: "shop/p1", reason: "Pending", versions: 1, seconds: 3 }]);
    // It is on its way: what it lacks is the newest.
    setting.hub.ack(subscriber, "endpoints a", first);
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
