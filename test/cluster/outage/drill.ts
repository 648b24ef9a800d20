/**
 * A mesh for a drill: an API server, a control plane and two sidecars as processes, an application, and a client that accounts
 * for every request. What goes, and for how long, is the drill's business.
 *
 * Certificates live so long that all of them come due while it is gone, and end some time after it is back:
 *
 *   issued ──── wait ────┤ gone: 65 % to 75 % of the lifetime in it ├──── slack ────┤ end
 */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { meshNamespace } from "../../../control-plane/index/facts.ts";
import { eventually } from "../../support/eventually.ts";
import { askThrough } from "../../support/sidecar-pair.ts";
import { type ApiServer, startApiServer } from "../api-server.ts";
import { ControlPlaneProcess } from "../control-plane/control-plane-process.ts";
import { ensureTestNodes, TestNamespace } from "../control-plane/objects.ts";
import { SidecarProcess } from "../control-plane/sidecar-process.ts";
import { applyDefinitions } from "../definitions.ts";

const patienceMs = 60_000;
/** What a server that was killed may take to come back on a busy machine. */
const minSlackMs = 14_000;

export interface Outage {
  /** Loopback addresses of its own: drills run at the same time. */
  readonly addresses: Readonly<Record<"controlPlane" | "web" | "orders" | "payments", string>>;
  readonly outageMs: number;
  readonly leafLifetimeMs: number;
  /** After the certificates were issued. */
  readonly waitMs: number;
}

/** Of 10 s, which an environment variable may make more. `block` is the third part of its addresses. */
export function planOutage(variable: string, block: number): Outage {
  const address = (host: number) => `127.88.${block}.${host}`;
  const addresses = { controlPlane: address(1), web: address(2), orders: address(3), payments: address(4) };
  const outageMs = Number(process.env[variable] ?? "10") * 1_000;
  const slackMs = Math.max(minSlackMs, outageMs / 8);
  const leafLifetimeMs = Math.max(4 * slackMs, outageMs + slackMs + 20_000);
  const waitMs = leafLifetimeMs - outageMs - slackMs;
  return { addresses, outageMs, leafLifetimeMs, waitMs };
}

export class Drill implements AsyncDisposable {
  readonly server: ApiServer;
  readonly shop: TestNamespace;
  readonly #outage: Outage;
  readonly #open = new AsyncDisposableStack();
  #controlPlane: ControlPlaneProcess;

  private constructor(server: ApiServer, shop: TestNamespace, outage: Outage) {
    this.server = server;
    this.shop = shop;
    this.#outage = outage;
    this.#controlPlane = this.#startControlPlane();
    this.#open.defer(() => server.stop());
    this.#open.defer(() => this.#controlPlane.stop("SIGKILL").then(() => undefined));
  }

  /** Resolves when a request went through both sidecars. */
  static async start(outage: Outage): Promise<Drill> {
    // Without controllers there are no EndpointSlices, which would not take these pods' loopback addresses: it goes by labels.
    const server = await startApiServer();
    const { api } = server;
    await applyDefinitions(api);
    await ensureTestNodes(api);
    await api.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name: meshNamespace } } });
    const shop = await TestNamespace.create(api, "shop", { "tulle.dev/inject": "enabled" });
    const drill = new Drill(server, shop, outage);
    await drill.#startWorkloads();
    return drill;
  }

  get controlPlane(): ControlPlaneProcess {
    return this.#controlPlane;
  }

  /** How many certificates it has issued since it was started. */
  get issued(): number {
    return this.#controlPlane.said("certificate issued").length;
  }

  /** Until the certificates are about to come due. */
  async wait(): Promise<void> {
    const [first] = this.#controlPlane.said("certificate issued");
    await sleep(Math.max(0, Date.parse(String(first?.["time"])) + this.#outage.waitMs - Date.now()));
  }

  async killControlPlane(): Promise<void> {
    await this.#controlPlane.stop("SIGKILL");
  }

  restartControlPlane(): void {
    this.#controlPlane = this.#startControlPlane();
  }

  /** As the control plane has it. */
  async status(): Promise<{ readonly policies: readonly { readonly namespace: string }[] }> {
    const { controlPlane } = this.#outage.addresses;
    const response = await fetch(`http://${controlPlane}:${this.#controlPlane.ports?.admin}/status`);
    return (await response.json()) as { policies: { namespace: string }[] };
  }

  /** What the application says to a request that `web` sends. */
  async ask(path = "/"): Promise<string> {
    try {
      const response = await fetch(`http://${this.#outage.addresses.web}:9001${path}`, {
        signal: AbortSignal.timeout(5_000),
      });
      return `${response.status} ${await response.text()}`;
    } catch (error) {
      return String(error);
    }
  }

  /** What `web` gets from any Service: an application's answer, or the code of the mesh's own. */
  async askFor(url: string): Promise<string> {
    try {
      const { status, headers, body } = await askThrough(this.#outage.addresses.web, url);
      return `${status} ${String(headers["tulle-error"] ?? body)}`;
    } catch (error) {
      return String(error);
    }
  }

  /** A Service of one pod with its sidecar, and an application if it `says` something. Resolves when the sidecar was started. */
  async startWorkload({ namespace, workload, ip, says, upstreams }: DrillWorkload): Promise<StartedWorkload> {
    await namespace.serviceAccount(workload);
    await namespace.pod(`${workload}-1`, workload, { ip });
    await namespace.service(workload);
    const application = says === undefined ? undefined : this.#serve(ip, says);
    await eventually(() => this.#controlPlane.ports !== undefined, patienceMs);
    const bundle = async () => (await namespace.read("v1", "configmaps/tulle-trust-bundle")).status;
    await eventually(async () => (await bundle()) === 200, patienceMs);
    const { controlPlane } = this.#outage.addresses;
    const { api } = this.server;
    const started = { api, namespace, workload, podIp: ip, controlPlane, ...(upstreams && { upstreams }) };
    const sidecar = await SidecarProcess.start(started);
    this.#open.defer(() => sidecar.stop());
    const end = async () => {
      await sidecar.stop("SIGTERM");
      application?.closeAllConnections();
      await namespace.delete("v1", `pods/${workload}-1`);
    };
    return { sidecar, end };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.disposeAsync();
  }

  #startControlPlane(): ControlPlaneProcess {
    const lifetime = `${Math.round(this.#outage.leafLifetimeMs / 1_000)}s`;
    const { controlPlane } = this.#outage.addresses;
    const listen = ["--listen-address", controlPlane, "--discovery-port", "15010", "--identity-port", "15012"];
    return new ControlPlaneProcess(this.server.kubeconfig, ...listen, "--leaf-lifetime", lifetime);
  }

  async #startWorkloads(): Promise<void> {
    const { web, orders } = this.#outage.addresses;
    const { shop: namespace } = this;
    const upstreams = `orders.${namespace.name}:80=${web}:9001`;
    await this.startWorkload({ namespace, workload: "orders", ip: orders, says: "ordered" });
    await this.startWorkload({ namespace, workload: "web", ip: web, upstreams });
    await eventually(async () => (await this.ask()) === "200 ordered", patienceMs);
  }

  #serve(ip: string, says: string): Server {
    const application = createServer((_, response) => response.end(says)).listen(8080, ip);
    this.#open.defer(async () => {
      const closed = once(application, "close");
      application.close();
      application.closeAllConnections();
      await closed;
    });
    return application;
  }
}

export interface DrillWorkload {
  readonly namespace: TestNamespace;
  readonly workload: string;
  readonly ip: string;
  readonly says?: string;
  readonly upstreams?: string;
}

export interface StartedWorkload {
  readonly sidecar: SidecarProcess;
  /** As kubelet ends a pod that was deleted. */
  readonly end: () => Promise<void>;
}

/** Asks all the while, and counts the answers. */
export class Client {
  readonly answers = new Map<string, number>();
  readonly #ask: () => Promise<string>;
  #asking = true;
  readonly #done: Promise<void>;

  constructor(ask: () => Promise<string>) {
    this.#ask = ask;
    this.#done = this.#run();
  }

  /** With all the answers that there were. */
  async stop(): Promise<readonly string[]> {
    this.#asking = false;
    await this.#done;
    return [...this.answers.keys()];
  }

  async #run(): Promise<void> {
    while (this.#asking) {
      const answer = await this.#ask();
      this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
      await sleep(5);
    }
  }
}
