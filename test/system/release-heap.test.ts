import { getHeapStatistics } from "node:v8";
import { expect, it } from "vitest";
import { releaseHeap } from "../../system/release-heap.ts";

it("gives back the memory that a burst of work has left", async () => {
  const before = getHeapStatistics().total_heap_size;
  const burst = () => Array.from({ length: 400_000 }, (_, index) => ({ index, name: `object-${index}` })).length;
  expect(burst()).toBe(400_000);
  const grown = getHeapStatistics().total_heap_size - before;
  await releaseHeap();
  expect(getHeapStatistics().total_heap_size - before).toBeLessThan(grown / 4);
});
