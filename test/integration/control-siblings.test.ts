/** A new pod, and what it is sent because another pod of its workload uses it. */

import { afterEach, beforeEach, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { endpoints, PushGround } from "./push-ground.ts";

let ground: PushGround;

beforeEach(async () => {
  ground = await PushGround.open();
});
afterEach(() => ground[Symbol.asyncDispose]());

it("has what its sibling uses before it asks, receives changes, and unsubscribes from what it does not need", async () => {
  ground.plane.publish(endpoints("a", 1), endpoints("b", 1));
  const sibling = await ground.sidecar("orders").start();
  for (const name of ["a", "b", "nothing"]) sibling.subscribe(name);
  await eventually(() => ground.acks("a").acked === 1 && ground.acks("b").acked === 1 && sibling.applied.length === 3);
  const late = await ground.sidecar("orders", { unaskedMs: 300 }).start();
  await eventually(() => ground.acks("a").acked === 2 && ground.acks("b").acked === 2);
  expect(ground.acks("nothing").subscribers).toBe(1);
  ground.plane.publish(endpoints("a", 2));
  await eventually(() => ground.acks("a").acked === 2);
  expect(late.applied).toEqual([]);
  late.subscribe("a");
  expect(late.applied).toEqual(["a=2"]);
  await eventually(() => ground.acks("b").subscribers === 1);
  expect(ground.acks("a").subscribers).toBe(2);
  ground.plane.publish(endpoints("a", 3));
  await late.heard("a=3");
});

it("asks again for what could not be applied once it is needed", async () => {
  ground.plane.publish(endpoints("a", 1));
  const sibling = await ground.sidecar("orders").start();
  sibling.subscribe("a");
  await sibling.heard("a=1");
  const late = await ground.sidecar("orders").start();
  await eventually(() => ground.acks("a").acked === 2);
  late.refuses.add("1");
  late.subscribe("a");
  await eventually(() => ground.acks("a").nacks.length === 1);
  expect(ground.acks("a").nacks[0]?.reason).toBe("port 1 is cursed");
});

it("gets nothing of another identity or workload", async () => {
  ground.plane.publish(endpoints("a", 1));
  const other = await ground.sidecar("web").start();
  other.subscribe("a");
  const namesake = { namespace: "shop", workload: "web", pod: "orders-1", proxyVersion: "0.1.0" };
  await other.heard("a=1");
  const late = await ground.sidecar("orders", { node: namesake }).start();
  late.subscribe("b");
  await late.heard("b=absent");
  expect(ground.acks("a").subscribers).toBe(1);
});
