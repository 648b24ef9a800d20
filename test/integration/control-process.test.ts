/** The control plane as a process: from files to a sidecar's answer, and how it starts and ends. */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Resource } from "../../model/resources.ts";
import { ControlStream } from "../../sidecar/discovery/control-stream.ts";
import { startIdentity } from "../../sidecar/identity/identity-client.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { eventually as within } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";

const main = join(import.meta.dirname, "../../control-plane/main.ts");

/** Processes start slowly on a busy machine. */
const patienceMs = 20_000;
const eventually = (holds: () => boolean | Promise<boolean>): Promise<void> => within(holds, patienceMs);
vi.setConfig({ testTimeout: 2 * patienceMs });

let folder: string;
let stop: AbortController;
const children = new Set<Running>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tulle-process-"));
  await mkdir(join(folder, "yaml"));
  await writeFile(join(folder, "yaml", "shop.yaml"), shop(90));
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  for (const { child } of children) child.kill("SIGKILL");
  await Promise.all(Array.from(children, ({ ended }) => ended));
  children.clear();
  await rm(folder, { recursive: true, force: true });
});

const shop = (weight: number, service = "v1"): string => `
apiVersion: v1
kind: Service
metadata: { name: catalog, namespace: shop }
spec: { selector: { app: catalog }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: v1, namespace: shop }
spec: { selector: { app: catalog }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: tulle.dev/v1alpha1
kind: TrafficSplit
metadata: { name: catalog, namespace: shop }
spec: { service: catalog, backends: [{ service: ${service}, weight: ${weight} }] }
`;

interface Ports {
  discovery: number;
  identity: number;
  admin: number;
}

interface Running {
  readonly child: ChildProcess;
  readonly lines: string[];
  readonly ended: Promise<number | null>;
}

function run(args: string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
  // "close" comes when its output is read to the end.
  const ended = once(child, "close").then(([code]) => code as number | null);
  const running = { child, lines, ended };
  children.add(running);
  return running;
}

async function start(
  ports: Partial<Ports> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<Running & { readonly ports: Ports }> {
  const { discovery = 0, identity = 0, admin = 0 } = ports;
  const portOptions = [
    "--discovery-port",
    `${discovery}`,
    "--identity-port",
    `${identity}`,
    "--admin-port",
    `${admin}`,
    "--dashboard-port",
    "0",
  ];
  const running = run(["--folder", join(folder, "yaml"), "--state", join(folder, "state"), ...portOptions], env);
  const ready = () => running.lines.find((line) => line.includes("control plane ready"));
  await eventually(() => ready() !== undefined);
  return { ...running, ports: JSON.parse(ready() ?? "") as Ports };
}

async function sidecar({ discovery, identity }: Ports) {
  const token = randomUUID();
  const kept = { namespace: "shop", serviceAccount: "web", pod: "web-1", audience: "tulle" };
  const name = createHash("sha256").update(token).digest("hex");
  await writeFile(join(folder, "state", "tokens", `${name}.json`), JSON.stringify(kept), { mode: 0o600 });
  await writeFile(join(folder, "token"), token);
  const log = new RecordedLog();
  const controlPlaneIdentity = "spiffe://cluster.local/ns/tulle-system/sa/tulle-control-plane";
  const workload = await startIdentity(
    {
      spiffeId: "spiffe://cluster.local/ns/shop/sa/web",
      addresses: [`127.0.0.1:${identity}`],
      controlPlaneIdentity,
      tokenFile: join(folder, "token"),
      trustBundleFile: join(folder, "state", "trust-bundle.pem"),
      wallClock: Date.now,
      clock: performance,
      wheel: new TimerWheel(performance),
      random: Math.random,
      log: log.write,
    },
    stop.signal,
  );
  const stream = new ControlStream({
    endpoints: [`127.0.0.1:${discovery}`],
    identity: workload,
    controlPlaneIdentity,
    node: { namespace: "shop", workload: "web", pod: "web-1", proxyVersion: "0.1.0" },
    clock: performance,
    wheel: new TimerWheel(performance),
    random: Math.random,
    log: log.write,
    retry: { initialDelayMs: 10, maxDelayMs: 100 },
  });
  await stream.start(stop.signal);
  return { stream, log, workload };
}

const weightOf = (resource: Resource | undefined): number | undefined =>
  resource?.kind === "destination" ? resource.value.routes[0]?.backends[0]?.weight : undefined;

interface Status {
  problems: string[];
  policies: { kind: string; conditions: { type: string; status: string; message: string }[] }[];
  sidecars: { pod: string; proxyVersion: string }[];
}

async function readStatus({ admin }: Ports): Promise<Status> {
  return (await (await fetch(`http://127.0.0.1:${admin}/status`)).json()) as Status;
}

const programmed = ({ policies }: Status): string | undefined =>
  policies[0]?.conditions.find(({ type }) => type === "Programmed")?.message;

describe("a control plane", () => {
  it("pushes an edited weight to a sidecar, and shows that it is in force", async () => {
    const { ports } = await start();
    const { stream } = await sidecar(ports);
    const weights: (number | undefined)[] = [];
    stream.subscribe("destination", "catalog.shop.svc.cluster.local:80", (resource) => {
      weights.push(weightOf(resource));
      return undefined;
    });
    await eventually(() => weights.length === 1);
    await writeFile(join(folder, "yaml", "shop.yaml"), shop(50));
    await eventually(() => weights.length === 2);
    expect(weights).toEqual([90, 50]);
    await eventually(async () => programmed(await readStatus(ports)) === "1/1 sidecars");
    expect((await readStatus(ports)).sidecars).toMatchObject([{ pod: "web-1", proxyVersion: "0.1.0" }]);
    const metrics = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text();
    expect(metrics).toMatch(/^tulle_subscribers 1$/m);
    expect(metrics).toMatch(/^tulle_push_acks_total 2$/m);
    expect(metrics).toMatch(/^tulle_certificates_issued_total 1$/m);
    expect(metrics).toMatch(/^tulle_compile_seconds_count [2-9]$/m);
  });

  it("counts a policy that a sidecar refuses until it is one that it accepts", async () => {
    const { ports } = await start();
    const { stream } = await sidecar(ports);
    stream.subscribe("destination", "catalog.shop.svc.cluster.local:80", (resource) =>
      weightOf(resource) === 50 ? undefined : "cursed",
    );
    const refused = async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text();
      return /^tulle_policies_not_programmed\{reason="Refused"\} (\d+)$/m.exec(metrics)?.[1];
    };
    await eventually(async () => (await refused()) === "1");
    const lag = async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text();
      return /^tulle_sidecar_versions_behind\{sidecar="shop\/web-1",reason="Refused"\} (\d+)$/m.exec(metrics)?.[1];
    };
    expect(await lag()).toBe("1");
    await writeFile(join(folder, "yaml", "shop.yaml"), shop(50));
    await eventually(async () => (await refused()) !== "1");
    expect([await refused(), await lag()]).toEqual(["0", undefined]);
  });

  it("that was killed comes back with the same root, and sidecars find it without losing anything", async () => {
    const first = await start();
    const { stream } = await sidecar(first.ports);
    const weights: (number | undefined)[] = [];
    stream.subscribe("destination", "catalog.shop.svc.cluster.local:80", (resource) => {
      weights.push(weightOf(resource));
      return undefined;
    });
    await eventually(() => weights.length === 1);
    const bundle = await readFile(join(folder, "state", "trust-bundle.pem"), "utf8");
    first.child.kill("SIGKILL");
    await first.ended;
    await eventually(() => !stream.connected);
    const second = await start(first.ports);
    await eventually(() => stream.connected);
    expect(await readFile(join(folder, "state", "trust-bundle.pem"), "utf8")).toBe(bundle);
    expect(weights).toEqual([90]);
    await writeFile(join(folder, "yaml", "shop.yaml"), shop(10));
    await eventually(() => weights.length === 2);
    expect(weights).toEqual([90, 10]);
    expect(second.lines.some((line) => line.includes('"sidecar connected"'))).toBe(true);
  });

  it("reports a problem once in its status and its log, and says when it is fixed", async () => {
    const { ports, lines } = await start();
    expect((await readStatus(ports)).problems).toEqual([]);
    await writeFile(join(folder, "yaml", "shop.yaml"), shop(90, "nowhere"));
    await eventually(async () => (await readStatus(ports)).problems.length === 1);
    expect((await readStatus(ports)).problems[0]).toMatch(/shop\.yaml:15 spec\.backends\[0\]\.service: .*nowhere/);
    await eventually(() => lines.some((line) => line.includes("problem found")));
    await writeFile(join(folder, "yaml", "shop.yaml"), shop(90));
    await eventually(() => lines.some((line) => line.includes("problem solved")));
    expect(lines.filter((line) => line.includes("problem found"))).toHaveLength(1);
  });

  it("ends with 0 on SIGTERM, and notifies its sidecars", async () => {
    const { ports, child, ended, lines } = await start();
    const { stream, log } = await sidecar(ports);
    await eventually(() => stream.connected);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    await eventually(() => lines.some((line) => line.includes("control plane stopping")));
    const lost = () => log.lines.find(({ message }) => message === "control plane lost");
    await eventually(() => lost() !== undefined);
    expect(lost()?.fields["reason"]).toContain("the control plane is stopping");
  });

  it("sends spans of its work if an OTLP endpoint is set", async () => {
    const bodies: string[] = [];
    const receiver = createServer((request, response) => {
      request.on("data", (chunk: Buffer) => bodies.push(`${request.url} ${chunk.toString("latin1")}`));
      request.on("end", () => response.end());
    }).listen(0, "127.0.0.1");
    await once(receiver, "listening");
    stop.signal.addEventListener("abort", () => receiver.close());
    const { port } = receiver.address() as AddressInfo;
    const { child, ended } = await start({}, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    const spans = bodies.filter((body) => body.startsWith("/v1/traces")).join();
    expect(spans).toContain("tulle-control-plane");
    expect(spans).toContain("compile");
  });

  it("serves only its four pages, which change nothing", async () => {
    const { ports } = await start();
    const url = `http://127.0.0.1:${ports.admin}`;
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    expect((await fetch(`${url}/live`)).status).toBe(200);
    expect((await fetch(`${url}/quit`)).status).toBe(404);
    expect((await fetch(`${url}/status`, { method: "POST" })).status).toBe(405);
  });
});

describe("a control plane ends with 2 and one plain line", () => {
  const given = (...more: string[]): string[] => [
    "--folder",
    join(folder, "yaml"),
    "--state",
    join(folder, "state"),
    ...more,
  ];
  const refused: Record<string, [() => string[] | Promise<string[]>, RegExp]> = {
    "with an argument that makes no sense": [
      () => given("--admin-port", "99999"),
      /--admin-port must be a port from 0 to 65535/,
    ],
    "with a folder that is not there": [
      () => ["--folder", join(folder, "nowhere"), "--state", join(folder, "state")],
      /nowhere: cannot be read: no such file or directory$/,
    ],
    "with a root that others can read": [
      async () => {
        await mkdir(join(folder, "state", "ca"), { recursive: true });
        await writeFile(join(folder, "state", "ca", "root.pem"), "");
        await chmod(join(folder, "state", "ca", "root.pem"), 0o644);
        return given();
      },
      /root\.pem: others than its owner may read it/,
    ],
  };
  it.each(Object.entries(refused))("%s", async (_, [args, line]) => {
    const { lines, ended } = run(await args());
    expect(await ended).toBe(2);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(line);
  });

  it.each(["discovery", "admin"] as const)("with its %s port in use", async (port) => {
    const { ports } = await start();
    const free = ["--discovery-port", "0", "--identity-port", "0", "--admin-port", "0", "--dashboard-port", "0"];
    const { lines, ended } = run(given(...free, `--${port}-port`, String(ports[port])));
    expect(await ended).toBe(2);
    expect(lines).toEqual([
      `tulle-control-plane: can't listen: listen EADDRINUSE: address already in use 127.0.0.1:${ports[port]}`,
    ]);
  });
});
