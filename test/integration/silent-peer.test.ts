/** A peer that is cut off silently, by real rules of the kernel: see `silent-peer/namespace.ts`. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";

const script = join(import.meta.dirname, "silent-peer/namespace.ts");
let seen: Record<string, unknown> = {};

beforeAll(async () => {
  const inNamespace = ["--map-root-user", "--net", process.execPath, script];
  const { stdout } = await promisify(execFile)("unshare", inNamespace, { timeout: 50_000 });
  seen = JSON.parse(stdout) as Record<string, unknown>;
}, 60_000);

it("is detected in less than 10 s without traffic", () => {
  expect(seen["before"]).toBe("200 undefined");
  expect(seen["foundMs"]).toBeGreaterThanOrEqual(5_000);
  expect(seen["foundMs"]).toBeLessThan(10_000);
});

it("fails its requests in progress, and is dialled again within the connect timeout", () => {
  expect(seen["running"]).toBe("502 upstream_closed");
  const { answer, tookMs } = seen["meanwhile"] as { answer: string; tookMs: number };
  expect(answer).toBe("503 mesh_port_unreachable");
  expect(tookMs).toBeLessThan(3_000);
});

it("is used again, over one link, as soon as it is back", () => {
  expect([seen["again"], seen["links"]]).toEqual(["200 undefined", 1]);
});
