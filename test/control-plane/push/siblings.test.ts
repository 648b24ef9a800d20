import { describe, expect, it } from "vitest";
import { endpoints, Setting, versionOf } from "./hub-setting.ts";

describe("a newly connected sidecar", () => {
  it("is subscribed to what its longest-connected sibling has, except for Inbound and absent resources", async () => {
    const setting = new Setting();
    await setting.publish(endpoints("a", 1), endpoints("b", 1));
    setting.join("p1").subscribe("a").subscribe("gone");
    setting.join("p2").subscribe("b");
    const late = setting.join("p3");
    setting.hub.subscribeLikeSibling(late.subscriber);
    expect(late.heard).toEqual(["a subscribed", `a ${versionOf(setting, "a")}`]);
    expect(setting.hub.acksOf("endpoints", "a").subscribers).toBe(2);
  });

  it("is not subscribed to what its sibling has dropped, nor to what it was given and has dropped itself", async () => {
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

  it("is subscribed to nothing if it is the first, or of another identity", async () => {
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

  it("is subscribed to a limited number of resources", async () => {
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
