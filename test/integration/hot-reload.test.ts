/**
 * Files change while requests go through two sidecars: each kind of policy comes into force, and affects only the requests it
 * is for.
 */

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, it } from "vitest";
import { Pipeline } from "../../control-plane/pipeline.ts";
import { watchFolders } from "../../control-plane/source/folder.ts";
import { answerTo } from "../support/answer-to.ts";
import { eventually } from "../support/eventually.ts";
import { deploymentYaml, podYaml, serviceYaml } from "../support/manifests.ts";
import { type Answer, askThrough, TestMesh } from "../support/sidecar-pair.ts";

const requestsPerSecond = 500;
const stickyClients = 20;

interface Shop extends AsyncDisposable {
  ask(path: string, options?: { method?: string; headers?: Record<string, string> }): Promise<Answer>;
  /** Writes a file whole, as an editor does. */
  write(kind: string, spec: string): Promise<void>;
  readonly breakerState: () => string | undefined;
  /** Recorded so far. */
  readonly spans: () => number;
  readonly problems: () => readonly string[];
}

/** The caller, two versions of the Service that it calls, and a control plane that watches a folder. */
async function openShop(): Promise<Shop & { readonly proxy: string }> {
  const mesh = await TestMesh.open();
  const folder = await mkdtemp(join(tmpdir(), "tulle-reload-"));
  let spans = 0;
  const web = await mesh.sidecar("web", { spans: { push: () => void spans++ } });
  let yaml = serviceYaml("orders");
  const flaky = new Set<string>();
  for (const version of ["v1", "v2"]) {
    const { podIp } = await mesh.sidecar(version);
    await mesh.application(podIp, (request, response) => answer(version, flaky, request, response));
    yaml += serviceYaml(version) + deploymentYaml(version) + podYaml(`${version}-1`, version, podIp);
  }
  await writeFile(join(folder, "shop.yaml"), yaml);
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  const stop = new AbortController();
  const { resources } = mesh;
  await watchFolders({
    folders: [folder],
    signal: stop.signal,
    onChange: (change) => {
      pipeline.apply(change);
      for (const kind of ["inbound", "endpoints", "destination"] as const) {
        for (const { resource } of pipeline.snapshot.list(kind)) {
          if (!isDeepStrictEqual(resources.get(kind, resource.value.name), resource)) resources.set(resource);
        }
      }
    },
  });
  return {
    proxy: web.podIp,
    ask: (path, options) => askThrough(web.podIp, `http://orders${path}`, options),
    write: async (kind, spec) => {
      const text = `{apiVersion: tulle.dev/v1alpha1, kind: ${kind}, metadata: {namespace: shop, name: p}, spec: ${spec}}`;
      await writeFile(join(folder, ".next"), text);
      await rename(join(folder, ".next"), join(folder, `${kind}.yaml`));
    },
    breakerState: () => {
      for (const backend of web.sidecar.state().backends.all) {
        for (const { breakerState } of backend.liveEndpoints) if (breakerState !== undefined) return breakerState;
      }
      return undefined;
    },
    spans: () => spans,
    problems: () => [...pipeline.index.problems().map(({ message }) => message), ...resources.nacks],
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await mesh[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

function answer(
  version: string,
  flaky: Set<string>,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  const url = request.url ?? "";
  if (url === "/late") return void setTimeout(() => response.end(version), 1_500);
  if (url === "/stream") response.writeHead(200, { "content-type": "text/event-stream" }).write("begun");
  else if (url.startsWith("/flaky") && !flaky.has(url)) {
    flaky.add(url);
    response.writeHead(503).end();
  } else response.end(version);
}

/** So many requests a second for as long as it runs; what was not answered by 200, and how many were. */
class Load {
  readonly failed: string[] = [];
  fine = 0;
  #underWay = 0;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
  readonly #proxy: string;
  readonly #timer: NodeJS.Timeout;

  constructor(proxy: string) {
    this.#proxy = proxy;
    const startMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      for (const due = ((performance.now() - startMs) / 1_000) * requestsPerSecond; sent < due; sent++) this.#send();
    }, 10);
  }

  #send(): void {
    this.#underWay++;
    const options = { host: this.#proxy, port: 15_001, path: "http://orders/", headers: { host: "orders" } };
    const request = http.get({ ...options, agent: this.#agent }, (response) => {
      response.resume().on("close", () => {
        this.#underWay--;
        if (response.statusCode === 200 && response.complete) this.fine++;
        else this.failed.push(`${response.statusCode ?? 0} ${String(response.headers["tulle-error"])}`);
      });
    });
    request.on("error", (error) => {
      this.#underWay--;
      this.failed.push(error.message);
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await eventually(() => this.#underWay === 0);
    this.#agent.destroy();
  }
}

/** One change: what is written, and how it shows. */
interface Change {
  readonly kind: string;
  readonly spec: string;
  readonly shows: (shop: Shop, nth: number) => Promise<boolean> | boolean;
}

const status = (path: string, wanted: number, options?: Parameters<Shop["ask"]>[1]) => async (shop: Shop) =>
  (await shop.ask(path, options)).status === wanted;
const service = "targetRefs: [{kind: Service, name: orders}]";
/** The server's policies hold for pods. */
const pods = "targetRefs: [{kind: Service, name: v1}, {kind: Service, name: v2}]";
const at = (path: string) => `match: [{path: {value: ${path}}}]`;
const split = (v1: number, v2: number, more = "") =>
  `{service: orders, ${more} backends: [{service: v1, weight: ${v1}}, {service: v2, weight: ${v2}}]}`;
const answersAs = (version: string) => async (shop: Shop) => (await shop.ask("/")).body === version;

const changes: readonly Change[] = [
  { kind: "TrafficSplit", spec: split(100, 0), shows: answersAs("v1") },
  { kind: "TrafficSplit", spec: split(0, 100), shows: answersAs("v2") },
  { kind: "TrafficSplit", spec: split(100, 0), shows: answersAs("v1") },
  { kind: "TrafficSplit", spec: split(0, 100), shows: answersAs("v2") },
  { kind: "TimeoutPolicy", spec: `{${service}, request: 1s}`, shows: status("/late", 504) },
  { kind: "TimeoutPolicy", spec: `{${service}, request: 10s}`, shows: () => true },
  {
    kind: "RetryPolicy",
    spec: `{${service}, initialDelay: 1ms, retryOn: ["503"]}`,
    shows: async (shop, nth) => (await shop.ask(`/flaky${nth}`)).status === 200,
  },
  {
    kind: "CircuitBreaker",
    spec: "{maxRequests: 1000}",
    shows: (shop) => shop.breakerState() === "closed",
  },
  {
    kind: "AccessPolicy",
    spec: `{${pods}, action: deny, rules: [{paths: [{value: /admin}]}]}`,
    shows: status("/admin", 403),
  },
  {
    kind: "RateLimit",
    spec: `{${pods}, limits: [{requests: 1, per: 1h, ${at("/limited")}}]}`,
    shows: status("/limited", 429),
  },
  {
    kind: "FaultInjection",
    spec: `{${service}, until: "2099-01-01T00:00:00Z", ${at("/faulty")}, abort: {status: 418, percent: 100}}`,
    shows: status("/faulty", 418),
  },
  {
    kind: "IdempotencyPolicy",
    spec: `{${pods}, required: true}`,
    shows: status("/", 400, { method: "POST" }),
  },
  { kind: "TelemetryPolicy", spec: `{${service}, samplingRatio: 1}`, shows: (shop) => shop.spans() > 0 },
  { kind: "TrafficSplit", spec: split(50, 50, "sticky: {by: header, name: x-user},"), shows: () => true },
];

it("puts each kind of policy in force without failing a request, cutting a stream or moving a sticky client", async () => {
  await using shop = await openShop();
  const backendOf = async (user: number) => (await shop.ask("/", { headers: { "x-user": `user-${user}` } })).body;
  // Sticky to begin with, so that there is something to keep.
  await shop.write("TrafficSplit", split(50, 50, "sticky: {by: header, name: x-user},"));
  await eventually(async () => ["v1", "v2"].includes(await backendOf(0)));
  const places = await Promise.all(Array.from({ length: stickyClients }, (_, user) => backendOf(user)));
  await shop.write("TrafficSplit", split(100, 0));
  await eventually(async () => (await shop.ask("/")).body === "v1");

  const stream = http.get({
    host: shop.proxy,
    port: 15_001,
    path: "http://orders/stream",
    headers: { host: "orders" },
  });
  const streamed = await answerTo(stream);
  let cut = false;
  streamed.on("aborted", () => (cut = true)).resume();

  const load = new Load(shop.proxy);
  for (const [place, { kind, spec, shows }] of changes.entries()) {
    await shop.write(kind, spec);
    let nth = 0;
    const shown = eventually(() => shows(shop, place * 1_000 + nth++));
    await shown.catch((error: unknown) => {
      throw new Error(`${kind} did not show: ${shop.problems().join("; ")}`, { cause: error });
    });
  }
  await eventually(async () => {
    const now = await Promise.all(places.map((_, user) => backendOf(user)));
    return isDeepStrictEqual(now, places);
  });
  await load.stop();
  expect(shop.problems()).toEqual([]);
  expect(load.failed).toEqual([]);
  expect(load.fine).toBeGreaterThan(requestsPerSecond / 2);
  expect([cut, streamed.complete]).toEqual([false, false]);
  stream.destroy();
}, 60_000);
