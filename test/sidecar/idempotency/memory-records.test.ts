import { expect, it } from "vitest";
import type { KeyRecord } from "../../../sidecar/idempotency/answer.ts";
import { type MemoryLimits, MemoryRecords } from "../../../sidecar/idempotency/memory-records.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { HandClock } from "../../support/hand-clock.ts";

function recordOf(bytes: number): KeyRecord {
  const answer = {
    status: 200,
    headers: new HeaderFields(),
    bodyless: false,
    body: Buffer.alloc(bytes),
    trailers: undefined,
  };
  return { fingerprint: "f", answer };
}

function open(limits: Partial<MemoryLimits> = {}) {
  const clock = new HandClock();
  const evicted: string[] = [];
  const bounds = { maxRecords: 1_000_000, maxBytes: 1_000_000, ...limits };
  const records = new MemoryRecords(clock, bounds, { evicted: (what) => evicted.push(what) });
  const keep = (name: string, bytes = 10, ttlMs = 1_000) => {
    const found = records.claim(name);
    if (found.kind === "claimed") found.claim.keep(recordOf(bytes), ttlMs);
  };
  const see = (name: string) => {
    const found = records.claim(name);
    return found.kind === "recorded" ? (found.record.answer?.body.length ?? "bare") : found.kind;
  };
  return { clock, records, evicted, keep, see };
}

it("keeps records until their time is over", () => {
  const { clock, keep, see, records } = open();
  keep("a");
  clock.advance(999);
  expect(see("a")).toBe(10);
  clock.advance(1);
  expect(see("a")).toBe("claimed");
  expect(records.size).toEqual({ answered: 0, bare: 0, bytes: 0 });
});

it("drops answers when room is needed, the least recently used first, and remembers that they existed", () => {
  const { keep, see, evicted, records } = open({ maxBytes: 3_000 });
  keep("a", 400);
  keep("b", 400);
  keep("c", 400);
  expect(see("a")).toBe(400);
  keep("d", 400);
  expect([see("a"), see("b"), see("c"), see("d")]).toEqual([400, "bare", 400, 400]);
  expect(evicted).toEqual(["answer"]);
  expect(records.size.bytes).toBeLessThanOrEqual(3_000);
});

it("does not keep an answer larger than all of its room, only that there was one", () => {
  const { keep, see, records } = open({ maxBytes: 3_000 });
  keep("a", 5_000);
  expect(see("a")).toBe("bare");
  expect(records.size).toEqual({ answered: 0, bare: 1, bytes: 0 });
});

it("forgets keys if there are too many, those without an answer first", () => {
  const { keep, see, evicted } = open({ maxBytes: 1_500, maxRecords: 3 });
  for (const name of ["a", "b", "c", "d"]) keep(name, 100);
  expect(evicted).toEqual(["answer", "answer", "record"]);
  expect([see("b"), see("c"), see("d")]).toEqual(["bare", 100, 100]);
  expect(see("a")).toBe("claimed");
});

it("frees the room of expired records", () => {
  const { clock, keep, records } = open();
  for (let i = 0; i < 5_000; i++) keep(`${i}`, 10, i < 4_900 ? 1_000 : 5_000);
  clock.advance(1_000);
  for (let i = 0; i < 4; i++) records.forgetExpired();
  expect(records.size.answered).toBe(100);
  clock.advance(4_000);
  for (let i = 0; i < 2; i++) records.forgetExpired();
  expect(records.size).toEqual({ answered: 0, bare: 0, bytes: 0 });
});
