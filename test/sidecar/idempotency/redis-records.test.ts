import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { KeyRecord } from "../../../sidecar/idempotency/answer.ts";
import type { Claim, ClaimState, Found } from "../../../sidecar/idempotency/record-store.ts";
import { RedisConnection } from "../../../sidecar/idempotency/redis-connection.ts";
import { RedisRecords } from "../../../sidecar/idempotency/redis-records.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { makeRoot } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { RedisServer, redisPassword } from "../../support/redis.ts";

let server: RedisServer;
let number = 0;
let key = "";

beforeAll(async () => {
  server = await RedisServer.start();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

beforeEach(() => {
  key = `key-${++number}`;
});

/** The records as one sidecar has them: real time for its connection, a hand clock for all else. */
function replica(workload = "shop/payments", urlFile: string | undefined = server.urlFile) {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const log = new RecordedLog();
  const failures: string[] = [];
  const connection = new RedisConnection({ urlFile, clock: performance, random: Math.random, log: log.write });
  onTestFinished(() => connection.close());
  const failed = (operation: string) => failures.push(operation);
  const records = new RedisRecords({ connection, workload, clock, wheel, random: Math.random, failed });
  const claim = () => new Promise<Found>((resolve) => records.claim(key, resolve));
  const take = async (): Promise<Claim> => {
    const found = await claim();
    if (found.kind !== "claimed") throw new Error(`it is ${found.kind}`);
    return found.claim;
  };
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  return { claim, take, pass, failures, log, connection };
}

async function poll(found: Found): Promise<ClaimState> {
  if (found.kind !== "elsewhere") throw new Error(`it is ${found.kind}`);
  return new Promise((resolve) => found.poll(resolve));
}

/** Asks the server itself. */
async function redis(...command: string[]): Promise<unknown> {
  const client = createClient({ url: `redis://:${redisPassword}@${server.host}:6379` });
  await client.connect();
  const reply = await client.sendCommand(command);
  client.destroy();
  return reply;
}

const stored = () => `tulle:idempotency:shop/payments:${key}`;

function recordOf(status: number, body = Buffer.from("paid")): KeyRecord {
  const headers = new HeaderFields(["set-cookie", "caf\u00e9", "set-cookie", "b"]);
  return { fingerprint: "f", answer: { status, headers, bodyless: false, body, trailers: undefined } };
}

/** Kept, as soon as another replica can see it. */
async function kept(other: ReturnType<typeof replica>): Promise<KeyRecord> {
  let found: Found | undefined;
  await eventually(async () => (found = await other.claim()).kind === "recorded");
  if (found?.kind !== "recorded") throw new Error("it is not kept");
  return found.record;
}

describe("a key", () => {
  it("is claimed by only one of many that ask at the same time", async () => {
    const replicas = [replica(), replica(), replica()];
    const found = await Promise.all([...replicas, ...replicas].map(({ claim }) => claim()));
    expect(found.map(({ kind }) => kind).sort()).toEqual(["claimed", ...Array<string>(5).fill("elsewhere")]);
  });

  it("is a different one for another workload", async () => {
    await replica().take();
    expect((await replica("shop/orders").claim()).kind).toBe("claimed");
  });

  it("has its answer for every replica, byte for byte, until it expires", async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const record: KeyRecord = recordOf(201, body);
    const headers = record.answer?.headers as HeaderFields;
    headers.sensitive = ["set-cookie"];
    const trailers = new HeaderFields(["x-sum", "\u00ff"]);
    const [one, other] = [replica(), replica()];
    (await one.take()).keep(
      { ...record, answer: { ...(record.answer as NonNullable<KeyRecord["answer"]>), trailers } },
      5_000,
    );
    const found = await kept(other);
    expect(found.fingerprint).toBe("f");
    expect(found.answer?.status).toBe(201);
    expect(found.answer?.body.equals(body)).toBe(true);
    expect(found.answer?.headers.flat).toEqual(headers.flat);
    expect(found.answer?.headers.sensitive).toEqual(["set-cookie"]);
    expect(found.answer?.trailers?.flat).toEqual(trailers.flat);
    expect(Number(await redis("PTTL", stored()))).toBeGreaterThan(0);
    expect(Number(await redis("PTTL", stored()))).toBeLessThanOrEqual(5_000);
  });

  it("keeps the mere fact that there was an answer", async () => {
    (await replica().take()).keep({ fingerprint: "f", answer: undefined }, 5_000);
    expect(await kept(replica())).toEqual({ fingerprint: "f", answer: undefined });
  });

  it("is free again when its claim is released", async () => {
    const [one, other] = [replica(), replica()];
    (await one.take()).release();
    await eventually(async () => (await other.claim()).kind === "claimed");
    expect((await one.claim()).kind).toBe("elsewhere");
  });

  it("reports a failure to those who wait, and to nobody else", async () => {
    const [one, other] = [replica(), replica()];
    const claim = await one.take();
    const waiting = await other.claim();
    expect((await poll(waiting)).kind).toBe("in-flight");
    claim.release(recordOf(503));
    await eventually(async () => (await poll(waiting)).kind === "recorded");
    expect(await poll(waiting)).toMatchObject({ record: { answer: { status: 503 } } });
    expect((await other.claim()).kind).toBe("claimed");
    expect((await poll(waiting)).kind).toBe("in-flight");
  });

  it("with an unknown value is not touched", async () => {
    await redis("SET", stored(), "something");
    const one = replica();
    expect((await one.claim()).kind).toBe("unavailable");
    expect(one.failures).toEqual(["claim"]);
    expect(await redis("GET", stored())).toBe("something");
  });
});

describe("a claim", () => {
  it("lasts for half a minute, and is renewed while it is held", async () => {
    const one = replica();
    await one.take();
    expect(Number(await redis("PTTL", stored()))).toBeGreaterThan(29_000);
    await redis("PEXPIRE", stored(), "5000");
    one.pass(10_010);
    await eventually(async () => Number(await redis("PTTL", stored())) > 29_000);
  });

  it("of a sidecar that died expires, and that sidecar can change nothing any more", async () => {
    const [dead, heir] = [replica(), replica()];
    const old = await dead.take();
    await redis("DEL", stored()); // as when its time is over
    const claim = await heir.take();
    dead.pass(10_010);
    old.keep(recordOf(500), 5_000);
    await eventually(() => dead.failures.includes("keep"));
    expect(dead.failures).toEqual(["renew", "keep"]);
    claim.keep(recordOf(201), 5_000);
    expect((await kept(replica())).answer?.status).toBe(201);
    old.release();
    expect((await heir.claim()).kind).toBe("recorded");
  });

  it("that Redis lost is made again, unless somebody else has made one", async () => {
    const one = replica();
    await one.take();
    await redis("DEL", stored());
    one.pass(10_010);
    await eventually(async () => (await redis("EXISTS", stored())) === 1);
    expect((await replica().claim()).kind).toBe("elsewhere");
  });
});

describe("a Redis that fails", () => {
  it("by restarting gets what could not be written meanwhile", async () => {
    const [one, other] = [replica(), replica()];
    const claim = await one.take();
    await server.kill();
    expect((await other.claim()).kind).toBe("unavailable");
    claim.keep(recordOf(201), 60_000);
    await eventually(() => one.failures.length > 0);
    expect([one.failures[0], other.failures[0]]).toEqual(["keep", "claim"]);
    await server.start();
    await eventually(async () => {
      one.pass(510);
      return (await other.claim()).kind === "recorded";
    });
  });

  it("by hanging is given up after a second, and asked again on another connection", async () => {
    const one = replica();
    await one.take();
    server.freeze();
    const before = performance.now();
    const found = await one.claim();
    server.thaw();
    expect(found.kind).toBe("unavailable");
    expect(performance.now() - before).toBeGreaterThan(900);
    await eventually(async () => (await one.claim()).kind !== "unavailable");
  });

  it("by refusing the password is logged once, without the password", async () => {
    await server.writeUrl("wrong-password");
    onTestFinished(() => server.writeUrl(redisPassword));
    const one = replica();
    for (let i = 0; i < 3; i++) expect((await one.claim()).kind).toBe("unavailable");
    const said = JSON.stringify(one.log.lines);
    expect(one.log.lines.length).toBe(1);
    expect(said).toContain("WRONGPASS");
    expect(said).not.toContain("wrong-password");
    await server.writeUrl(redisPassword);
    await eventually(async () => (await one.claim()).kind === "claimed");
  });

  it("because none is configured can't be reached", async () => {
    const one = replica("shop/payments", "/nowhere/url");
    expect((await one.claim()).kind).toBe("unavailable");
    expect(JSON.stringify(one.log.lines)).toContain("ENOENT");
  });
});

describe("over TLS", () => {
  let encrypted: RedisServer;

  beforeAll(async () => {
    encrypted = await RedisServer.start("rediss");
  });

  afterAll(async () => {
    await encrypted[Symbol.asyncDispose]();
  });

  it("stores keys in a Redis whose certificate is signed by the ca.crt beside its URL", async () => {
    const [one, other] = [replica("shop/payments", encrypted.urlFile), replica("shop/payments", encrypted.urlFile)];
    (await one.take()).keep(recordOf(201), 5_000);
    expect((await kept(other)).answer?.status).toBe(201);
  });

  it("sends nothing to a Redis with another name's certificate", async () => {
    await writeFile(join(encrypted.folder, "ca.crt"), makeRoot("another").pem);
    const { claim, log, failures } = replica("shop/payments", encrypted.urlFile);
    expect((await claim()).kind).toBe("unavailable");
    await rm(join(encrypted.folder, "ca.crt"));
    const without = replica("shop/payments", encrypted.urlFile);
    expect((await without.claim()).kind).toBe("unavailable");
    expect([failures, without.failures]).toEqual([["claim"], ["claim"]]);
    expect(JSON.stringify(log)).not.toContain(redisPassword);
  });
});
