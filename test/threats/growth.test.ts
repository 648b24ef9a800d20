/**
 * What traffic names without end (hosts, paths, methods, fields): series and memory stay bounded. A million of each, through
 * sidecars in processes of their own, are `npm run bench -- names`.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { AttackedMesh } from "./attacked-mesh.ts";

const requests = 20_000;
const perWrite = 500;
/** What the two sidecars may have grown by meanwhile, for caches that were not full yet. */
const maxGrowthBytes = 8 * 1024 * 1024;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Label sets of all metrics of both sidecars. */
function seriesOf({ web, target }: AttackedMesh): number {
  const all = [web, target].flatMap(({ metrics }) => Object.values<{ labelSets: { count: number } }>({ ...metrics }));
  const counts = all.map(({ labelSets }) => labelSets.count);
  return counts.reduce((sum, count) => sum + count, 0);
}

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

it("has no more series, and hardly more memory, after thousands of hosts, paths, methods and field names", async () => {
  await using mesh = await AttackedMesh.open();
  await mesh.witness();
  const client = mesh.upstream();
  const ask = async (from: number, to: number): Promise<void> => {
    for (let first = from; first < to; first += perWrite) {
      const each = Array.from({ length: perWrite }, (_, i) => first + i);
      client.received = "";
      client.send(each.map((n) => `M${n} /p${n}?q=${n} HTTP/1.1\r\nHost: h${n}.test\r\nX-${n}: ${n}\r\n\r\n`).join(""));
      await client.receive((text) => text.split("HTTP/1.1 200 ").length > perWrite);
      mesh.application.received = "";
    }
  };
  await ask(0, requests / 4);
  const before = { series: seriesOf(mesh), heap: heapBytes() };
  await ask(requests / 4, requests);
  expect(seriesOf(mesh)).toBe(before.series);
  expect(heapBytes() - before.heap).toBeLessThan(maxGrowthBytes);
}, 60_000);
