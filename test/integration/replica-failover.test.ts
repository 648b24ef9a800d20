/**
 * Two replicas of the control plane and two sidecars, as processes, and a client that counts every request: what happens to
 * it when a replica dies or stops, and while the root is replaced.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import type { CertificatesView } from "../../control-plane/identity/certificates-view.ts";
import { eventually } from "../support/eventually.ts";
import { nextPodIp } from "../support/sidecar-pair.ts";

const root = join(import.meta.dirname, "../..");
const controlPlanes = [nextPodIp(), nextPodIp()] as const;
const pods = { web: nextPodIp(), orders: nextPodIp() } as const;
/** Processes start slowly on a busy machine. */
const patienceMs = 40_000;
/** For what no timer stands in the way of. */
const soonMs = 10_000;
vi.setConfig({ testTimeout: 3 * patienceMs, hookTimeout: 2 * patienceMs });

let folder: string;
let application: Server;
let replicas: ChildProcess[];
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tulle-failover-"));
  await mkdir(join(folder, "yaml"));
  await announce("one");
  application = createServer((_request, response) => response.end("orders")).listen(8_080, pods.orders);
  await once(application, "listening");
  replicas = controlPlanes.map(startControlPlane);
  for (const host of controlPlanes) await answers(`http://${host}:15014/ready`);
  await Promise.all(Object.entries(pods).map(([name, ip]) => startSidecar(name, ip)));
  for (const ip of Object.values(pods)) await answers(`http://${ip}:15020/ready`);
});
afterEach(async () => {
  await Promise.all(children.map((child) => end(child, "SIGKILL")));
  children.length = 0;
  application.close();
  application.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
});

/** Objects as a cluster would have them; every answer of `orders` carries `x-policy`. */
async function announce(policy: string): Promise<void> {
  const namespace = "shop";
  const set = [{ name: "x-policy", value: policy }];
  const objects = [
    ...Object.entries(pods).flatMap(([name, podIP]) => workload(name, podIP)),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "orders", namespace },
      spec: { selector: { app: "orders" }, ports: [{ name: "http", port: 80, targetPort: 8_080 }] },
    },
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "orders", namespace },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: "orders" }],
        rules: [
          {
            filters: [{ type: "ResponseHeaderModifier", responseHeaderModifier: { set } }],
            backendRefs: [{ name: "orders", port: 80 }],
          },
        ],
      },
    },
  ];
  await writeFile(join(folder, "next"), objects.map((object) => stringify(object)).join("---\n"));
  await rename(join(folder, "next"), join(folder, "yaml", "shop.yaml"));
}

function workload(name: string, podIP: string): object[] {
  const namespace = "shop";
  const labels = { app: name };
  const containers = [{ name, image: "none", ports: [{ name: "http", containerPort: 8_080 }] }];
  const spec = { serviceAccountName: name, containers };
  const owner = { apiVersion: "apps/v1", kind: "Deployment", name, controller: true };
  const annotations = { "tulle.dev/proxy-version": "0.1.0" };
  const status = { phase: "Running", podIP, conditions: [{ type: "Ready", status: "True" }] };
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: `${name}-1`, namespace, labels, annotations, ownerReferences: [owner] },
      spec,
      status,
    },
  ];
}

function startControlPlane(host: string): ChildProcess {
  const others = controlPlanes.flatMap((other) => ["--replicas", `${other}:15010`]);
  const state = ["--folder", join(folder, "yaml"), "--state", join(folder, "state")];
  const args = ["--listen-address", host, "--rotation-pause", "1s", ...state, ...others];
  return start("control-plane/main.ts", args, {});
}

async function startSidecar(name: string, podIp: string): Promise<ChildProcess> {
  const token = randomUUID();
  const kept = { namespace: "shop", serviceAccount: name, pod: `${name}-1`, audience: "tulle" };
  const record = `${createHash("sha256").update(token).digest("hex")}.json`;
  await writeFile(join(folder, "state", "tokens", record), JSON.stringify(kept), { mode: 0o600 });
  const own = join(folder, name);
  await mkdir(own);
  await writeFile(join(own, "token"), token);
  return start("sidecar/main.ts", [], {
    TULLE_NAMESPACE: "shop",
    TULLE_WORKLOAD: name,
    TULLE_POD: `${name}-1`,
    TULLE_SERVICE_ACCOUNT: name,
    POD_IP: podIp,
    TULLE_TOKEN_FILE: join(own, "token"),
    TULLE_TRUST_BUNDLE: join(folder, "state", "trust-bundle.pem"),
    TULLE_STATE_DIR: own,
    TULLE_CONTROL_PLANE: controlPlanes.join(","),
  });
}

function start(main: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const options = { stdio: "ignore", env: { PATH: process.env["PATH"], ...env } } as const;
  const child = spawn(process.execPath, [join(root, main), ...args], options);
  children.push(child);
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

const answers = (url: string): Promise<void> =>
  eventually(async () => (await fetch(url).catch(() => undefined))?.status === 200, patienceMs);

interface Status {
  readonly replicas: readonly string[];
  readonly sidecars: readonly { readonly pod: string }[];
  readonly routes: readonly {
    readonly parents: readonly { readonly conditions: readonly { type: string; message: string }[] }[];
  }[];
}

async function statusOf(host: string): Promise<Status> {
  return (await (await fetch(`http://${host}:15014/status`)).json()) as Status;
}

async function podsAt(host: string): Promise<string[]> {
  return (await statusOf(host)).sidecars.map(({ pod }) => pod).sort();
}

/** Asks for `orders` through the sidecar of `web`, all the time, and keeps every outcome. */
class Client {
  readonly outcomes = new Map<string, number>();
  lastPolicy = "";
  #stopped = false;
  readonly #ended: Promise<void>;

  constructor() {
    this.#ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  get count(): number {
    return [...this.outcomes.values()].reduce((sum, count) => sum + count, 0);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const outcome = await this.#ask().catch((error: unknown) => String(error));
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      await sleep(2);
    }
  }

  #ask(): Promise<string> {
    return new Promise((resolve, reject) => {
      const url = "http://orders.shop.svc.cluster.local/";
      const call = request({
        host: pods.web,
        port: 15_001,
        path: url,
        headers: { host: "orders.shop.svc.cluster.local" },
      });
      call.on("error", reject);
      call.on("response", (response) => {
        this.lastPolicy = String(response.headers["x-policy"]);
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => (body += text));
        response.on("end", () => resolve(`${response.statusCode} ${body.trim()}`));
        response.on("error", reject);
      });
      call.end();
    });
  }
}

it.each(["SIGKILL", "SIGTERM"] as const)(
  "of two replicas one ends by %s: its sidecars soon move to the other, and no request fails",
  async (signal) => {
    const [first, second] = controlPlanes;
    await eventually(async () => (await podsAt(first)).length === 2, patienceMs);
    await eventually(async () => (await statusOf(second)).replicas.length === 1, patienceMs);
    const client = new Client();
    try {
      await eventually(() => client.lastPolicy === "one", patienceMs);
      // It counts what is at the other.
      const programmed = async () =>
        (await statusOf(second)).routes[0]?.parents[0]?.conditions.find(({ type }) => type === "Programmed")?.message;
      await eventually(async () => (await programmed()) === "1/1 sidecars", patienceMs);
      const [died] = replicas;
      if (died === undefined) throw new Error("no replica");
      const ended = end(died, signal);
      if (signal === "SIGKILL") await ended;
      await eventually(async () => (await podsAt(second)).length === 2, soonMs);
      await announce("two");
      await eventually(() => client.lastPolicy === "two", patienceMs);
      const before = client.count;
      await eventually(() => client.count > before + 20, patienceMs);
      await ended;
    } finally {
      await client.stop();
    }
    expect([...client.outcomes.keys()]).toEqual(["200 orders"]);
  },
);

async function certificatesAt(host: string): Promise<CertificatesView> {
  return (await (await fetch(`http://${host}:8080/api/certs`)).json()) as CertificatesView;
}

/** Handshakes of the mesh port of `orders`, by outcome. */
async function handshakes(outcome: string): Promise<number> {
  const text = await (await fetch(`http://${pods.orders}:15020/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith("tulle_tls_handshakes_total"));
  const wanted = lines.filter((line) => line.includes('"inbound"') && line.includes(`outcome="${outcome}"`));
  return wanted.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

it("the root and the links are replaced under a steady load, and no request fails", async () => {
  const [first, second] = controlPlanes;
  await eventually(async () => (await statusOf(second)).replicas.length === 1, patienceMs);
  const client = new Client();
  try {
    await eventually(() => client.count > 200, patienceMs);
    const { signer } = await certificatesAt(first);
    const linksBefore = await handshakes("ok");
    await writeFile(join(folder, "state", "ca", "rotate-root"), signer.id, { mode: 0o600 });
    await eventually(async () => {
      const { rotation, signer: now, sidecars } = await certificatesAt(first);
      return rotation.phase === "settled" && now.id !== signer.id && sidecars.length === 2;
    }, patienceMs);
    // A link that the former root has vouched for is replaced once that is trusted no more.
    await eventually(async () => (await handshakes("ok")) > linksBefore, patienceMs);
    const after = client.count;
    await eventually(() => client.count > after + 200, patienceMs);
    const views = await Promise.all(controlPlanes.map(certificatesAt));
    for (const { roots, rotation } of views) expect([roots.length, rotation.lacks]).toEqual([1, []]);
    expect(views[0]?.signer.id).toBe(views[1]?.signer.id);
  } finally {
    await client.stop();
  }
  expect([...client.outcomes.keys()]).toEqual(["200 orders"]);
});
