/** The commands that look at a mesh, at a real one on this machine: `tulle dev` with an application that calls itself. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { EdgeChecklist } from "../../cli/edges/checklist.ts";
import type { Explanation } from "../../cli/explain/explanation.ts";
import type { LiveRequest } from "../../cli/tap/live-requests.ts";
import { version } from "../../system/version.ts";
import { answering, askThrough, cliMain, DevMesh, webService } from "../support/dev-mesh.ts";
import { eventually } from "../support/eventually.ts";
import { TinyFolder } from "../support/tiny-mesh/tiny-mesh.ts";

// Each look starts a program, and some tests take many.
vi.setConfig({ testTimeout: 60_000 });

const policies = `
apiVersion: tulle.dev/v1alpha1
kind: TimeoutPolicy
metadata: { name: web }
spec: { targetRefs: [{ kind: Service, name: web }], request: 2s }
---
apiVersion: tulle.dev/v1alpha1
kind: IdempotencyPolicy
metadata: { name: web }
spec: { targetRefs: [{ kind: Service, name: web }] }
---
apiVersion: tulle.dev/v1alpha1
kind: AccessPolicy
metadata: { name: web }
spec: { targetRefs: [{ kind: Service, name: web }], action: deny, rules: [{ methods: [DELETE] }] }
`;

let folder: TinyFolder;
let mesh: DevMesh;
let podIP: string;
let url: string;

beforeAll(async () => {
  folder = new TinyFolder().deploy("web", answering).write("service.yaml", webService).write("policies.yaml", policies);
  mesh = new DevMesh(folder);
  ({ podIP } = await mesh.next("ready"));
  url = `http://${podIP.replace(/\.\d+$/, ".1")}:8080`;
  // A request before that may meet "no ready endpoint", and would be among the edges' failures.
  await mesh.next("progress", ({ text }) => text.startsWith("everything is ready:"));
}, 60_000);
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [cliMain, ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 });
}

async function tulle(...args: string[]): Promise<Outcome> {
  const child = start(...args, "--url", url);
  if (child.stdout === null || child.stderr === null) throw new Error("no pipes");
  const closed = once(child, "close") as Promise<[number | null]>;
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code: Number(code), out, err };
}

it("answers from the first request on, once everything is ready", async () => {
  expect(await askThrough(podIP)).toMatch(/^200 /);
});

it("shows requests as they happen, only the selected ones", async () => {
  const child = start("tap", "--from", "default/web", "--path", "/shown", "--limit", "1", "-o", "json", "--url", url);
  if (child.stdout === null) throw new Error("no pipe");
  const shown = once(createInterface(child.stdout), "line") as Promise<[string]>;
  const ended = once(child, "close") as Promise<[number]>;
  // Until it looks on, nobody shows it anything.
  let over = false;
  const asking = (async () => {
    while (!over) await Promise.all([askThrough(podIP, "/hidden"), askThrough(podIP, "/shown?token=secret")]);
  })();
  const [line] = await shown;
  over = true;
  await asking;
  expect(line).not.toContain("secret");
  expect(JSON.parse(line) as LiveRequest).toMatchObject({
    pod: "default/web-1",
    direction: "outbound",
    from: "default/web",
    to: "default/web",
    method: "GET",
    path: "/shown",
    status: 200,
    attempts: 1,
  });
  expect(await ended).toEqual([0, null]);
});

it("says so if there is no sidecar to watch", async () => {
  expect(await tulle("tap", "--from", "default/nobody")).toEqual({
    code: 2,
    out: "",
    err: "tulle: no sidecar of default/nobody; there are default/web\n",
  });
  expect(await tulle("tap", "--status", "abc")).toMatchObject({
    code: 2,
    err: "tulle: --status must be like 503 or 5xx, got abc\n",
  });
});

it("explains what a sidecar applies now", async () => {
  const { code, out } = await tulle("explain", "--sidecar", "default/web-1", "GET", "http://web/", "-o", "json");
  const told = JSON.parse(out) as Explanation;
  expect([code, told.callerIdentity]).toEqual([0, "spiffe://cluster.local/ns/default/sa/default"]);
  expect(told.route?.timeout.requestMs).toBe(2_000);
  expect(told.backends).toMatchObject([{ service: "default/web", percent: 100, endpoints: { ready: 1 }, tripped: [] }]);
});

it("also shows what the sidecars at the other end would answer", async () => {
  const asked = async (method: string) => {
    const key = ["-H", "idempotency-key: a"];
    const asking = ["explain", "--sidecar", "default/web-1", method, "http://web/", ...key, "-o", "json"];
    const { out, err } = await tulle(...asking);
    expect(err).toBe("");
    return (JSON.parse(out) as Explanation).backends[0]?.server;
  };
  expect(await asked("POST")).toMatchObject([
    { workload: "default/web", access: "admitted", idempotency: { verdict: "keyed" } },
  ]);
  expect(await asked("DELETE")).toMatchObject([{ access: "forbidden", by: "default/web" }]);
});

it("says what a sidecar does not know, and which sidecars there are", async () => {
  const unknown = await tulle("explain", "--sidecar", "default/web-1", "GET", "http://elsewhere/");
  expect(unknown).toMatchObject({
    code: 2,
    err: "tulle: this sidecar has not been asked for elsewhere.default.svc.cluster.local:80 lately (short names are looked up in the caller's namespace, default); there are web.default.svc.cluster.local:80\n",
  });
  const nobody = await tulle("explain", "--sidecar", "default/web-9", "GET", "http://web/");
  expect(nobody).toMatchObject({ code: 2, err: "tulle: no sidecar in pod default/web-9; there are default/web-1\n" });
});

it("lists the edges, and what each integration has or lacks", async () => {
  // The calls of the last ten seconds: a program that takes that long to start is told of none.
  let outcome: Outcome | undefined;
  await eventually(async () => {
    await askThrough(podIP);
    outcome = await tulle("edges", "--checklist", "-f", folder.path, "-o", "json", "--fail-on", "missing");
    return outcome.out !== "[]\n";
  }, 30_000);
  expect(outcome?.code).toBe(1);
  const [edge] = JSON.parse(outcome?.out ?? "") as EdgeChecklist[];
  expect(edge).toMatchObject({ from: "default/web", to: "default/web" });
  const said = new Map(edge?.points.map(({ point, state, says }) => [point, `${state}: ${says}`]));
  expect(said.get("timeouts")).toBe("present: 2s");
  expect(said.get("pattern")).toBe("present: HTTP/1.1, request and answer");
  expect(said.get("runbook")).toBe("present: https://example.test/runbook");
  expect(said.get("circuit breaker")).toBe("missing: no CircuitBreaker for default/web");
  expect(said.get("contract")).toMatch(/^missing: annotate Service default\/web with tulle\.dev\/contract/);
  const asTable = /^FROM +TO +REQUESTS +SUCCESS +MTLS\ndefault\/web +default\/web +\S+ +100 % +yes\n$/;
  await eventually(async () => {
    await askThrough(podIP);
    return asTable.test((await tulle("edges")).out);
  }, 30_000);
});

it("counts versions, and checks what can be checked without a cluster", async () => {
  const versions = await tulle("version", "-o", "json");
  expect(JSON.parse(versions.out)).toEqual({ client: version, controlPlane: version, sidecars: { [version]: 1 } });
  const { code, out } = await tulle("check");
  expect(out).toMatch(/^✓ control plane +version /);
  expect(out).toMatch(/\nall is well\n$/);
  expect(code).toBe(0);
  expect(await tulle("check", "--pre")).toMatchObject({
    code: 2,
    err: "tulle: --pre looks at a cluster: set KUBECONFIG, or give --kubeconfig\n",
  });
});

it("changes what a sidecar and the control plane log while they run", async () => {
  const level = async (...args: string[]) => (await tulle("log-level", ...args)).out.trim();
  expect(await level("default/web")).toBe("default/web-1  info");
  expect(await level("default/web-1", "debug")).toBe("default/web-1  debug");
  expect(await level("control-plane", "warn", "-o", "json")).toBe('{"control-plane":"warn"}');
  expect(await level("control-plane")).toBe("control-plane  warn");
  expect(await level("default/web", "info")).toBe("default/web-1  info");
  const nobody = await tulle("log-level", "default/nobody");
  expect(nobody).toMatchObject({
    code: 2,
    err: "tulle: no sidecar in pod or workload default/nobody; there are default/web-1\n",
  });
  expect(await tulle("log-level", "default/web", "loud")).toMatchObject({ code: 2 });
});
