import { expect, it } from "vitest";
import { type Ack, AckMemo } from "../../../control-plane/push/ack-memo.ts";

const ack = (name: string, version = "1"): Ack => ({ kind: "endpoints", name, key: `endpoints ${name}`, version });

it("finds a stored ack by its octets, and nothing else", () => {
  const memo = new AckMemo();
  const one = ack("a");
  memo.keep(Buffer.from("an ack, 4f5e"), one);
  expect(memo.find(Buffer.from("an ack, 4f5e"))).toBe(one);
  for (const other of ["an ack: 4f5e", "ack, 4f5e", "an ack, 4f5f", "", "4f5e"])
    expect(memo.find(Buffer.from(other))).toBeUndefined();
});

it("finds the later of two that end alike, and short ones as well", () => {
  const memo = new AckMemo();
  for (const [bytes, name] of [
    ["first 4f5e", "a"],
    ["other 4f5e", "b"],
    ["abc", "c"],
  ] as const)
    memo.keep(Buffer.from(bytes), ack(name));
  expect(memo.find(Buffer.from("first 4f5e"))).toBeUndefined();
  expect(memo.find(Buffer.from("other 4f5e"))?.name).toBe("b");
  expect(memo.find(Buffer.from("abc"))?.name).toBe("c");
});

it("is not affected if its input's octets are overwritten", () => {
  const memo = new AckMemo();
  const bytes = Buffer.from("an ack, 4f5e");
  memo.keep(bytes, ack("a"));
  bytes.fill(0);
  expect(memo.find(Buffer.from("an ack, 4f5e"))?.name).toBe("a");
});

it("stores only a few, and none that is long", () => {
  const memo = new AckMemo();
  for (let version = 0; version <= 256; version++) memo.keep(Buffer.from(`ack ${version}`.padEnd(8)), ack("a"));
  expect(memo.find(Buffer.from("ack 0".padEnd(8)))).toBeUndefined();
  expect(memo.find(Buffer.from("ack 256".padEnd(8)))).toBeDefined();
  memo.keep(Buffer.alloc(700, 1), ack("a"));
  expect(memo.find(Buffer.alloc(700, 1))).toBeUndefined();
});
