/** Changes and absence, pushed over sidecars' streams. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Snapshot } from "../../control-plane/snapshot.ts";
import type { Resource } from "../../model/resources.ts";
import { eventually } from "../support/eventually.ts";
import { endpoints, inbound, PushGround } from "./push-ground.ts";

let ground: PushGround;

beforeEach(async () => {
  ground = await PushGround.open();
});
afterEach(() => ground[Symbol.asyncDispose]());

describe("a change", () => {
  it("reaches two subscribers with one encoding, and both confirm it", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecars = await Promise.all([ground.sidecar("orders").start(), ground.sidecar("web").start()]);
    for (const sidecar of sidecars) sidecar.subscribe("a");
    await Promise.all(sidecars.map((sidecar) => sidecar.heard("a=1")));
    ground.plane.publish(endpoints("a", 2));
    await Promise.all(sidecars.map((sidecar) => sidecar.heard("a=2")));
    expect(ground.plane.encoded).toBe(2);
    await eventually(() => ground.acks("a").acked === 2);
    expect(ground.acks("a")).toMatchObject({ subscribers: 2, nacks: [], laggards: [] });
    expect(
      ground.plane.hub
        .peers()
        .map(({ pod }) => pod)
        .sort(),
    ).toEqual(["orders-1", "web-1"]);
  });

  it("is passed to each follower of a name, including a later one", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    sidecar.subscribe("a");
    expect(sidecar.applied).toEqual(["a=1", "a=1"]);
  });

  it("that can't be applied is nacked, and the last good stays in force", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders").start();
    sidecar.refuses.add("2");
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    ground.plane.publish(endpoints("a", 2));
    await eventually(() => ground.acks("a").nacks.length === 1);
    expect(ground.acks("a")).toMatchObject({ acked: 0, nacks: [{ pod: "orders-1", reason: "port 2 is cursed" }] });
    sidecar.subscribe("a");
    expect(sidecar.applied).toEqual(["a=1", "a=1"]);
    ground.plane.publish(endpoints("a", 3));
    await sidecar.heard("a=3");
    await eventually(() => ground.acks("a").acked === 1);
  });

  it("that is invalid is nacked with all of its faults", async () => {
    const sidecar = await ground.sidecar("orders").start();
    sidecar.subscribe("a");
    const broken = endpoints("a", 0);
    ground.plane.publish(broken);
    await eventually(() => ground.acks("a").nacks.length === 1);
    expect(ground.acks("a").nacks[0]?.reason).toBe('endpoints[0].address must be IP:port, got "10.0.0.1:0"');
  });

  it("of a name that is no longer subscribed is not passed on", async () => {
    const sidecar = await ground.sidecar("orders").start();
    const end = sidecar.subscribe("a");
    sidecar.subscribe("b");
    await sidecar.heard("b=absent");
    end();
    await eventually(() => ground.acks("a").subscribers === 0);
    ground.plane.publish(endpoints("a", 1), endpoints("b", 1));
    await sidecar.heard("b=1");
    expect(sidecar.applied).not.toContain("a=1");
  });
});

describe("absence", () => {
  it("of what never existed is answered at once", async () => {
    const sidecar = await ground.sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=absent");
    expect(sidecar.applied).toEqual(["a=absent"]);
  });

  it("is believed if the control plane has been up for a while", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders", { absenceGraceMs: 0 }).start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    ground.plane.withdraw("a");
    await sidecar.heard("a=absent");
    expect(sidecar.applied).toEqual(["a=1", "a=absent"]);
  });

  it("deletes nothing at once when the control plane comes back empty", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    await ground.plane.kill();
    ground.plane.snapshot = new Snapshot();
    await ground.plane.start();
    await eventually(() => sidecar.log.messages.includes("kept although said to be gone"));
    expect(sidecar.applied).toEqual(["a=1"]);
    ground.plane.publish(endpoints("a", 1));
    await eventually(() => ground.acks("a").acked === 1);
    ground.plane.publish(endpoints("a", 2));
    await sidecar.heard("a=2");
    expect(sidecar.applied).toEqual(["a=1", "a=2"]);
  });

  it("is believed in the end if the control plane stays empty", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders", { absenceGraceMs: 100 }).start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    await ground.plane.kill();
    ground.plane.snapshot = new Snapshot();
    await ground.plane.start();
    await sidecar.heard("a=absent");
    expect(sidecar.log.messages).toContain("kept although said to be gone");
  });
});

describe("another workload's inbound", () => {
  it("is not sent, whatever the stream claims to be, and the rest of the stream continues", async () => {
    ground.plane.publish(inbound("shop/payments", 8080), endpoints("a", 1));
    const thief = ground.sidecar("orders", {
      node: { namespace: "shop", workload: "payments", pod: "payments-1", proxyVersion: "0.1.0" },
    });
    const told: (Resource | undefined)[] = [];
    thief.stream.subscribe("inbound", "shop/payments", (resource) => {
      told.push(resource);
      return undefined;
    });
    thief.subscribe("a");
    await thief.start();
    await thief.heard("a=1");
    expect(told).toEqual([undefined]);
    expect(thief.log.messages).toContain("subscription refused");
  });

  it("is sent to its own workload", async () => {
    ground.plane.publish(inbound("shop/payments", 8080));
    const sidecar = await ground.sidecar("payments").start();
    const told: (Resource | undefined)[] = [];
    sidecar.stream.subscribe("inbound", "shop/payments", (resource) => {
      told.push(resource);
      return undefined;
    });
    await eventually(() => told.length > 0);
    expect(told).toEqual([inbound("shop/payments", 8080)]);
  });
});
