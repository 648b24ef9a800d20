import { expect, it } from "vitest";
import { availableMemoryBytes, capacityOf } from "../../control-plane/capacity.ts";

const gib = 1024 ** 3;

it("grows with the memory, up to what a replica is designed for", () => {
  expect(capacityOf(gib)).toEqual({ maxConnections: 2_730, maxSubscriptions: 262_144, maxReadingBytes: gib / 32 });
  expect(capacityOf(gib / 2).maxConnections).toBe(1_365);
  const most = { maxConnections: 5_000, maxSubscriptions: 1_000_000, maxReadingBytes: gib / 16 };
  expect(capacityOf(64 * gib)).toEqual(most);
});

it("leaves room for a cluster of 10,000 Services in a GiB, even if everything else is used up", () => {
  const { maxConnections, maxSubscriptions, maxReadingBytes } = capacityOf(gib);
  const connections = maxConnections * 1.25 * 128 * 1024;
  expect(connections + maxSubscriptions * 512 + 2 * maxReadingBytes).toBeLessThan(gib - 300_000_000);
});

it("knows how much memory is available", () => {
  expect(availableMemoryBytes()).toBeGreaterThan(64 * 1024 * 1024);
  expect(Number.isFinite(availableMemoryBytes())).toBe(true);
});
