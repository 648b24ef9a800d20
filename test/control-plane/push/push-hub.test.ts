import { describe, expect, it } from "vitest";
import type { Resource } from "../../../model/resources.ts";
import { endpoints, orders, Setting, versionOf } from "./hub-setting.ts";

describe("a subscription", () => {
  it("is answered with the resource, or with its absence", async () => {
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

  it("is not answered if the version is known", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1));
    const reader = setting.join("p1").subscribe("a", versionOf(setting, "a"));
    expect(reader.heard).toEqual([]);
    expect(setting.hub.acksOf("endpoints", "a")).toMatchObject({ subscribers: 1, acked: 1 });
  });

  it("with a former version is answered with the current one", async () => {
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

  it("goes to no sidecar that did not subscribe", async () => {
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

  it("within the window after another goes out at the end of the window, in its last version only", async () => {
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

  it("in a storm of changes waits longer and longer, up to 50 ms, until the storm is over", async () => {
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

  it("that is undone within the window is not sent", async () => {
    const setting = new Setting();
    const reader = setting.join("p1").subscribe("a");
    await setting.publish(endpoints("a", 1));
    await setting.publish(endpoints("a", 2));
    await setting.publish(endpoints("a", 1));
    setting.endWindow();
    expect(reader.heard).toEqual(["a absent", `a ${versionOf(setting, "a")}`]);
  });

  it("is sent as absence when the resource is withdrawn", async () => {
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
  it("gets the newest state once it reads again, and none in between", async () => {
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
