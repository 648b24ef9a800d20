/**
 * The API server and the control plane go, and the mesh serves on: two real sidecars, an application, and a client that
 * accounts for every request. `OUTAGE_SECONDS` makes the outages longer.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { meshNamespace } from "../../../control-plane/index/facts.ts";
import { eventually } from "../../support/eventually.ts";
import { type ApiServer, startApiServer } from "../api-server.ts";
import { applyDefinitions } from "../definitions.ts";
import { ControlPlaneProcess } from "./control-plane-process.ts";
import { ensureTestNode, TestNamespace } from "./objects.ts";
import { SidecarProcess } from "./sidecar-process.ts";

const outageMs = Number(process.env["OUTAGE_SECONDS"] ?? "10") * 1_000;
const controlPlaneIp = "127.88.0.1";
const webIp = "127.88.0.2";
const ordersIp = "127.88.0.3";
/** Certificates live a little longer than an outage and what comes before it: each drill sees renewals. */
const leafLifetime = `${Math.round((outageMs / 1_000) * 4)}s`;
const patienceMs = 60_000;

let server: ApiServer;
let controlPlane: ControlPlaneProcess;
let shop: TestNamespace;
let application: Server;
const sidecars: SidecarProcess[] = [];

function startControlPlane(): ControlPlaneProcess {
  const more = ["--listen-address", controlPlaneIp, "--leaf-lifetime", leafLifetime];
  return new ControlPlaneProcess(server.kubeconfig, ...more, "--discovery-port", "15010", "--identity-port", "15012");
}

beforeAll(async () => {
  // Without controllers there are no EndpointSlices, which would not take these pods' loopback addresses: it goes by labels.
  server = await startApiServer();
  await applyDefinitions(server.api);
  await ensureTestNode(server.api);
  await server.api.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name: meshNamespace } } });
  shop = await TestNamespace.create(server.api, "shop", { "tulle.dev/inject": "enabled" });
  controlPlane = startControlPlane();
  for (const [workload, ip] of [
    ["web", webIp],
    ["orders", ordersIp],
  ] as const) {
    await shop.service(workload);
    await shop.serviceAccount(workload);
    await shop.pod(`${workload}-1`, workload, { ip });
  }
  application = createServer((_, response) => response.end("ordered"));
  application.listen(8080, ordersIp);
  await once(application, "listening");
  await eventually(() => controlPlane.ports !== undefined, patienceMs);
  await eventually(async () => (await shop.read("v1", "configmaps/tulle-trust-bundle")).status === 200, patienceMs);
  const common = { api: server.api, namespace: shop, controlPlane: controlPlaneIp };
  sidecars.push(
    await SidecarProcess.start({ ...common, workload: "orders", podIp: ordersIp }),
    await SidecarProcess.start({
      ...common,
      workload: "web",
      podIp: webIp,
      upstreams: `orders.${shop.name}:80=${webIp}:9001`,
    }),
  );
  await eventually(async () => (await ask()) === "200 ordered", patienceMs);
}, 180_000);

afterAll(async () => {
  await Promise.all(sidecars.map((sidecar) => sidecar.stop()));
  await controlPlane?.stop("SIGKILL");
  application?.close();
  await server?.stop();
});

async function ask(): Promise<string> {
  try {
    const response = await fetch(`http://${webIp}:9001/`, { signal: AbortSignal.timeout(5_000) });
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    return String(error);
  }
}

/** Asks all the while, and counts the answers. */
class Client {
  readonly answers = new Map<string, number>();
  #asking = true;
  readonly #done = this.#run();

  async #run(): Promise<void> {
    while (this.#asking) {
      const answer = await ask();
      this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
      await sleep(5);
    }
  }

  async stop(): Promise<readonly string[]> {
    this.#asking = false;
    await this.#done;
    return [...this.answers.keys()];
  }
}

const renewals = () => controlPlane.said("certificate issued").length;

it("goes on without the API server, and with certificates that came due meanwhile", {
  timeout: 4 * outageMs + 120_000,
}, async () => {
  const client = new Client();
  await server.kill();
  await sleep(outageMs);
  expect(controlPlane.said("can't be followed")).not.toEqual([]);
  await server.restart();
  const before = renewals();
  await expect.poll(renewals, { timeout: outageMs * 4 + 30_000 }).toBeGreaterThanOrEqual(before + 2);
  expect(await client.stop()).toEqual(["200 ordered"]);
  expect(client.answers.get("200 ordered")).toBeGreaterThan(outageMs / 100);
});

it("follows the API server again: a policy is in force", { timeout: 60_000 }, async () => {
  await shop.create("tulle.dev/v1alpha1", "accesspolicies", {
    apiVersion: "tulle.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name: "nobody" },
    spec: {
      action: "deny",
      targetRefs: [{ kind: "Service", name: "orders" }],
      rules: [{ paths: [{ type: "Exact", value: "/closed" }] }],
    },
  });
  const closed = async () => (await fetch(`http://${webIp}:9001/closed`)).status;
  await expect.poll(closed).toBe(403);
});

it("goes on without the control plane, and finds it again", { timeout: 2 * outageMs + 120_000 }, async () => {
  const client = new Client();
  await controlPlane.stop("SIGKILL");
  await sleep(outageMs);
  controlPlane = startControlPlane();
  await expect.poll(() => controlPlane.said("sidecar connected").length, { timeout: patienceMs }).toBe(2);
  expect(await client.stop()).toEqual(["200 ordered"]);
});
