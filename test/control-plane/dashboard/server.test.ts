import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { MeshView } from "../../../control-plane/dashboard/mesh-view.ts";
import { type Dashboard, openDashboard } from "../../../control-plane/dashboard/server.ts";
import type { CertificatesView } from "../../../control-plane/identity/certificates-view.ts";
import { answerTo } from "../../support/answer-to.ts";

const view: MeshView = {
  version: "0.1.0",
  windowMs: 10_000,
  edges: [],
  latencies: [],
  breakers: [],
  splits: [],
  policies: [],
  sidecars: [],
  traces: [],
  lost: [],
  problems: ["one"],
};

const certificates: CertificatesView = {
  trustDomain: "cluster.local",
  place: { kind: "folder", path: "/tmp/ca" },
  signer: { id: "aa", subject: "CN=Root", notBeforeMs: 0, notAfterMs: 1 },
  roots: [],
  rotation: { phase: "settled", asked: false, lacks: [] },
  replicas: [],
  sidecars: [],
};

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

let assets: string;
let dashboard: Dashboard;
let problems: readonly string[];

beforeEach(async () => {
  assets = mkdtempSync(join(tmpdir(), "tulle-dashboard-"));
  writeFileSync(join(assets, "index.html"), "<!doctype html>");
  problems = ["one"];
  dashboard = await openDashboard({
    host: "127.0.0.1",
    port: 0,
    assets,
    view: () => ({ ...view, problems }),
    certificates: () => certificates,
    trace: (id) => (id === traceId ? [] : undefined),
    holders: (policy) => [{ pod: policy, standing: "acked" }],
    holdings: () => ({ "shop/web": [{ kind: "destination", name: "orders:80" }] }),
  });
});

afterEach(async () => {
  vi.useRealTimers();
  await dashboard.close();
  rmSync(assets, { recursive: true });
});

function ask(
  path: string,
  options: { method?: string; host?: string } = {},
): Promise<{ status: number; text: string; type: string }> {
  return new Promise((resolve, reject) => {
    const { method = "GET", host = `localhost:${dashboard.port}` } = options;
    const headers = { host };
    const outgoing = request({ host: "127.0.0.1", port: dashboard.port, path, method, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, text, type: String(answer.headers["content-type"]) }),
      );
    });
    outgoing.on("error", reject).end();
  });
}

it("serves the page, which may load nothing from elsewhere", async () => {
  const answer = await fetch(`http://127.0.0.1:${dashboard.port}/`);
  expect(await answer.text()).toBe("<!doctype html>");
  expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'self';.*frame-ancestors 'none'/);
});

it("says so if the page is not built", async () => {
  expect(await ask("/app.js")).toMatchObject({ status: 503, text: "the page is not built: npm run build\n" });
});

it("gives the mesh as data", async () => {
  const { text, type } = await ask("/api/mesh");
  expect(type).toBe("application/json");
  expect(JSON.parse(text)).toEqual(view);
});

it.each(["evil.example", "evil.example:8080", "10.0.0.1", "127.0.0.1.evil.example"])(
  "refuses requests for the host %j",
  async (host) => {
    expect((await ask("/api/mesh", { host })).status).toBe(421);
  },
);

it.each(["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"])(
  "accepts requests for the host %s",
  async (host) => {
    expect((await ask("/api/mesh", { host })).status).toBe(200);
  },
);

it("only reads", async () => {
  expect((await ask("/api/mesh", { method: "POST" })).status).toBe(405);
  expect((await ask("/../control-plane.mjs")).status).toBe(404);
});

it("sends an event at once, and again when something has changed", async () => {
  const stop = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${dashboard.port}/api/events`, { signal: stop.signal });
  const seen: string[] = [];
  for await (const chunk of answer.body ?? []) {
    seen.push(Buffer.from(chunk as Uint8Array).toString());
    if (seen.length === 1) problems = ["two"];
    if (seen.join("").includes('"two"')) break;
  }
  expect(seen.join("")).toMatch(/^data: \{.*"problems":\["one"\]\}\n\n/);
  stop.abort();
});

/** The events of a watcher that reads one only when it is asked for. */
async function watch(): Promise<() => Promise<string>> {
  const headers = { host: `localhost:${dashboard.port}` };
  const outgoing = request({ host: "127.0.0.1", port: dashboard.port, path: "/api/events", headers }).end();
  const answer = await answerTo(outgoing);
  answer.on("error", () => {});
  const lines = createInterface({ input: answer })[Symbol.asyncIterator]();
  return async () => {
    const event = String((await lines.next()).value);
    await lines.next();
    return event;
  };
}

it("sends a change to earlier readers even if a new reader saw it first", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const early = await watch();
  expect(await early()).toContain('"one"');
  problems = ["two"];
  const late = await watch();
  expect(await late()).toContain('"two"');
  vi.advanceTimersByTime(2_000);
  expect(await early()).toContain('"two"');
  expect(await late()).toBe(":");
});

it("sends the newest view to a reader that was too slow for it", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  problems = ["x".repeat(16 * 1024 * 1024)];
  const slow = await watch();
  problems = ["one"];
  const quick = await watch();
  expect(await quick()).toContain('"one"');
  problems = ["two"];
  vi.advanceTimersByTime(2_000);
  expect(await quick()).toContain('"two"');
  expect((await slow()).length).toBeGreaterThan(16 * 1024 * 1024);
  let next = "";
  void slow().then((event) => (next = event));
  for (; next === ""; await setImmediate()) vi.advanceTimersByTime(2_000);
  expect(next).toContain('"two"');
});

it("serves one trace, and the sidecars that have a policy", async () => {
  expect(await ask(`/api/traces/${traceId}`)).toMatchObject({ status: 200, text: "[]" });
  expect((await ask(`/api/traces/${traceId.replace("4", "5")}`)).status).toBe(404);
  expect((await ask("/api/traces/../../etc")).status).toBe(404);
  expect((await ask("/api/policies/RetryPolicy/shop/orders")).text).toBe(
    '[{"pod":"RetryPolicy shop/orders","standing":"acked"}]',
  );
  expect((await ask("/api/policies/RetryPolicy/shop")).status).toBe(404);
  expect((await ask("/api/holdings")).text).toBe('{"shop/web":[{"kind":"destination","name":"orders:80"}]}');
});
