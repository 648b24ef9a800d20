/** IdempotencyPolicy over real sockets, with a real Redis that the replicas share. */

import type http2 from "node:http2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { RedisServer } from "../support/redis.ts";
import type { TestSidecar } from "../support/sidecar-pair.ts";
import { cutEverywhere, openLink, Payments, paid, payOnce, rulesOf } from "./payments.ts";

describe("in Redis", () => {
  let redis: RedisServer;
  let payments: Payments;

  beforeAll(async () => {
    redis = await RedisServer.start();
    payments = await Payments.open("redis", redis.urlFile);
  });

  afterAll(async () => {
    await payments[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  it("gives the same answer at every replica, even while it is still to come", async () => {
    const hold = Promise.withResolvers<void>();
    payments.answerWhen = hold.promise;
    const sessions = payments.replicas.map(({ podIp }) => openLink(payments, podIp));
    const asked = payments.replicas.map((to, i) => payOnce(sessions[i] as http2.ClientHttp2Session, to, "order 1"));
    await eventually(() => payments.made.get("order 1") === 1);
    payments.answerWhen = undefined;
    hold.resolve();
    expect(await Promise.all(asked)).toEqual([paid("order 1"), paid("order 1")]);
    for (const session of sessions) session.destroy();
    expect(payments.made.get("order 1")).toBe(1);
  });

  it("makes no payment twice wherever an exchange is cut, although each try goes to another replica", async () => {
    const cuts = await cutEverywhere(payments, payments.replicas[1] as TestSidecar, 3);
    expect(cuts).toBeGreaterThan(150);
  }, 240_000);

  it("refuses payments while Redis is gone, finishes those in progress, and knows all of them when it is back", async () => {
    await payments.ask("before");
    const hold = Promise.withResolvers<void>();
    payments.answerWhen = hold.promise;
    const underWay = payments.ask("under way");
    await eventually(() => payments.made.get("under way") === 1);
    await redis.kill();
    const refused = await payments.ask("meanwhile");
    expect([refused.status, refused.headers["tulle-error"]]).toEqual([503, "idempotency_store_failed"]);
    payments.answerWhen = undefined;
    hold.resolve();
    expect((await underWay).body).toBe("paid under way once");
    await redis.start();
    await eventually(async () => (await payments.ask("meanwhile")).status === 201);
    for (const key of ["before", "under way", "meanwhile"]) {
      await eventually(async () => (await payments.ask(key)).body === `paid ${key} once`);
      expect(payments.made.get(key)).toBe(1);
    }
    const failures = payments.replicas.map(({ metrics: { idempotencyStoreFailures: failed } }) =>
      failed.value(failed.slot({ operation: "claim" })),
    );
    expect(failures.reduce((sum, count) => sum + count)).toBeGreaterThan(0);
  }, 30_000);

  it("admits payments while Redis is gone if the policy says so", async () => {
    payments.apply({ ...rulesOf("redis"), onStoreFailure: "allow" });
    await redis.kill();
    expect((await payments.ask("unguarded")).status).toBe(201);
    await redis.start();
    expect(payments.made.get("unguarded")).toBe(1);
  });
});
