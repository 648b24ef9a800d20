/** Sidecars' streams when the control plane, the sidecar or a certificate is replaced. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Snapshot } from "../../control-plane/snapshot.ts";
import { workloadId } from "../support/authority.ts";
import { makeRoot } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { endpoints, PushGround } from "./push-ground.ts";

let ground: PushGround;

beforeEach(async () => {
  ground = await PushGround.open();
});
afterEach(() => ground[Symbol.asyncDispose]());

describe("a control plane that dies and comes back", () => {
  it("sends only what has changed", async () => {
    ground.plane.publish(endpoints("a", 1), endpoints("b", 1));
    const sidecar = await ground.sidecar("orders").start();
    const connected: boolean[] = [];
    sidecar.stream.onConnected((is) => connected.push(is));
    sidecar.subscribe("a");
    sidecar.subscribe("b");
    await sidecar.heard("b=1");
    await ground.plane.kill();
    await eventually(() => !sidecar.stream.connected);
    ground.plane.snapshot = new Snapshot();
    ground.plane.publish(endpoints("a", 1), endpoints("b", 2));
    ground.plane.encoded = 0;
    await ground.plane.start();
    await sidecar.heard("b=2");
    expect(sidecar.applied).toEqual(["a=1", "b=1", "b=2"]);
    expect(ground.plane.encoded).toBe(1);
    await eventually(() => ground.acks("a").acked === 1 && ground.acks("b").acked === 1);
    expect(connected).toEqual([true, false, true]);
  });

  it("is not needed by a sidecar that restarts meanwhile", async () => {
    ground.plane.publish(endpoints("a", 1));
    const before = await ground.sidecar("orders", { stateFolder: ground.folder }).start();
    before.subscribe("a");
    await before.heard("a=1");
    await before.stream.flush();
    ground.stopSidecars();
    await ground.plane.kill();
    const after = await ground.sidecar("orders", { stateFolder: ground.folder }).start();
    after.subscribe("a");
    expect(after.applied).toEqual(["a=1"]);
    const early = ground.sidecar("orders", { stateFolder: ground.folder });
    early.subscribe("a");
    await early.start();
    expect(early.applied).toEqual(["a=1"]);
    ground.plane.publish(endpoints("a", 2));
    await ground.plane.start();
    await after.heard("a=2");
  });

  it("is asked again if the kept resources can't be applied any more", async () => {
    ground.plane.publish(endpoints("a", 1));
    const before = await ground.sidecar("orders", { stateFolder: ground.folder }).start();
    before.subscribe("a");
    await before.heard("a=1");
    await before.stream.flush();
    ground.stopSidecars();
    const after = await ground.sidecar("orders", { stateFolder: ground.folder }).start();
    after.refuses.add("1");
    after.subscribe("a");
    await eventually(() => ground.acks("a").nacks.length === 1);
    expect(after.applied).toEqual([]);
  });

  it("is asked if the kept resources are damaged", async () => {
    ground.plane.publish(endpoints("a", 1));
    await writeFile(join(ground.folder, "resources.binpb"), Buffer.from("ffffffff", "hex"));
    const sidecar = await ground.sidecar("orders", { stateFolder: ground.folder }).start();
    expect(sidecar.log.messages).toContain("kept resources not usable");
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
  });

  it("is replaced by another endpoint that answers", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders", { endpoints: ["127.0.0.1:1", ground.plane.address] }).start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    expect(sidecar.log.messages.slice(0, 2)).toEqual(["control plane not reached", "connected to the control plane"]);
  });

  it("says goodbye when it stops, and is found again", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    await ground.plane.drain();
    await eventually(() => sidecar.log.messages.includes("control plane lost"));
    const lost = sidecar.log.lines.find(({ message }) => message === "control plane lost");
    expect(lost?.fields["reason"]).toContain("the control plane is stopping");
    // Nobody is taken in again by one that stops, however soon it asks.
    const refused = sidecar.log.lines.length;
    await eventually(() => sidecar.log.lines.length > refused);
    expect(sidecar.stream.connected).toBe(false);
    await ground.plane.kill();
    await ground.plane.start();
    await eventually(() => sidecar.stream.connected);
  });

  it("sends its sidecars away one by one", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const sidecars = await Promise.all(names.map((name) => ground.sidecar(name).start()));
    await eventually(() => sidecars.every(({ stream }) => stream.connected));
    const pauses: [pauseMs: number, streams: number][] = [];
    await ground.plane.drain(1_000, (pauseMs, streams) => pauses.push([pauseMs, streams]));
    expect(pauses).toEqual([4, 3, 2, 1, 0].map((left) => [200, left]));
  });

  it("ends old streams, so that sidecars move to new replicas", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    await ground.plane.kill();
    ground.plane.streamLifetimeMs = 200;
    await ground.plane.start();
    const reasons = () => sidecar.log.lines.map(({ fields }) => fields["reason"]);
    await expect.poll(reasons, { timeout: 5_000 }).toContainEqual(expect.stringContaining("this stream is old"));
    ground.plane.publish(endpoints("a", 2));
    await sidecar.heard("a=2");
  });
});

it("extends a stream's lifetime by up to half at random", async () => {
  await ground.plane.kill();
  ground.plane.streamLifetimeMs = 400;
  ground.plane.random = 1;
  await ground.plane.start();
  const startMs = performance.now();
  const sidecar = await ground.sidecar("orders").start();
  const reasons = () => sidecar.log.lines.map(({ fields }) => String(fields["reason"]));
  await eventually(() => reasons().some((reason) => reason.includes("this stream is old")));
  // On the clock of timers, which counts whole milliseconds.
  expect(performance.now() - startMs).toBeGreaterThan(595);
});

describe("new credentials", () => {
  it("are used for a new stream, which is established before the former one ends", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    const connected: boolean[] = [];
    sidecar.stream.onConnected((is) => connected.push(is));
    sidecar.identity.rotate(ground.ca.credentials(workloadId("orders")));
    const greetings = () => ground.plane.log.messages.filter((message) => message === "sidecar connected").length;
    await eventually(() => greetings() === 2 && ground.plane.hub.subscriberCount === 1);
    ground.plane.publish(endpoints("a", 2));
    await sidecar.heard("a=2");
    expect(connected).toEqual([]);
    expect(sidecar.applied).toEqual(["a=1", "a=2"]);
  });

  it("that the control plane refuses leave the former stream in use", async () => {
    ground.plane.publish(endpoints("a", 1));
    const sidecar = await ground.sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    sidecar.identity.rotate({ ...ground.ca.credentials(workloadId("orders")), trustBundlePem: makeRoot().pem });
    await eventually(() => sidecar.log.messages.includes("control plane not reached"));
    ground.plane.publish(endpoints("a", 2));
    await sidecar.heard("a=2");
    expect(sidecar.stream.connected).toBe(true);
  });
});
