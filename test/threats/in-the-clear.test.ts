/** What strangers send in the clear to a pod whose connections are redirected: see `in-the-clear/namespace.ts`. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";

const script = join(import.meta.dirname, "in-the-clear/namespace.ts");
interface Outcome {
  readonly answer: string;
  readonly code?: string;
  readonly reached: string;
}
let seen: Record<string, unknown> = {};
const outcomes = (name: string): [string, Outcome][] => Object.entries(seen[name] as Record<string, Outcome>);

beforeAll(async () => {
  const inNamespace = ["--map-root-user", "--net", process.execPath, script];
  const { stdout } = await promisify(execFile)("unshare", inNamespace, { timeout: 50_000 });
  seen = JSON.parse(stdout) as Record<string, unknown>;
}, 60_000);

it("refuses requests with two readings, and forwards no byte", () => {
  const ambiguous = outcomes("ambiguous");
  expect(ambiguous.length).toBeGreaterThan(50);
  const refused = /^HTTP\/1\.1 (?:400|414|431|501) /;
  expect(ambiguous.filter(([, { answer, reached }]) => !refused.test(answer) || reached !== "")).toEqual([]);
  expect(seen["refusedCount"]).toBe(true);
});

it("resets malformed HTTP/2 before a byte is forwarded", () => {
  expect(seen["malformedHttp2"]).toBe("");
});

it("ends floods with ENHANCE_YOUR_CALM", () => {
  const codes = Object.values(seen["floods"] as Record<string, number>);
  expect(codes.length).toBeGreaterThan(10);
  expect(new Set(codes)).toEqual(new Set([11]));
});

it("removes fields that only the mesh may set, and leaves the rest", () => {
  const { reached } = seen["spoofed"] as Outcome;
  expect(reached.toLowerCase()).not.toContain("tulle-");
  expect(reached.toLowerCase()).toContain("x-forwarded-for: 1.2.3.4\r\n");
});

it("answers late requests itself, and does not forward h2c", () => {
  expect(seen["late"]).toMatchObject({ code: "deadline_exceeded", reached: "" });
  expect((seen["h2cUpgrade"] as Outcome).reached.toLowerCase()).not.toMatch(/upgrade|http2-settings/);
});

it("lets no path trick past a rule about paths", () => {
  for (const [path, { answer, code, reached }] of outcomes("paths"))
    expect([path, answer, code, reached]).toEqual([path, "HTTP/1.1 400 Bad Request", "path_ambiguous", ""]);
  expect(seen["denied"]).toMatchObject({ code: "forbidden", reached: "" });
});

it("opens neither the outbound port nor explicit upstreams nor debug pages: only the read-only admin port", () => {
  expect(seen["doors"]).toEqual([15_020]);
  expect(seen["admin"]).toEqual(["200", "405", "404", "404", "404", "404", "404"]);
  expect(seen["debugOnLoopback"]).toBe(200);
});
