/** What a failing API server does to what is already known: nothing, as long as that is possible. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { watchCluster } from "../../../control-plane/source/kubernetes/cluster-source.ts";
import { formatProblem } from "../../../control-plane/source/problem.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { FaultProxy, type ProxiedRequest } from "../fault-proxy.ts";
import { TestNamespace } from "./objects.ts";

const timing = {
  unservedMs: 1_000,
  silenceMs: 1_000,
  listMs: 1_000,
  firstBackoffMs: 20,
  longestBackoffMs: 200,
  graceMs: 1_500,
};

let direct: ClusterApi;
let proxy: FaultProxy;
let stopping: AbortController;
let shop: TestNamespace;
let log: RecordedLog;

beforeAll(async () => {
  direct = await openClusterApi(inject("kubeconfig"));
});
afterAll(() => direct.close());
beforeEach(async () => {
  proxy = await FaultProxy.open(inject("kubeconfig"));
  stopping = new AbortController();
  log = new RecordedLog();
  shop = await TestNamespace.create(direct, "shop");
  await shop.service("orders");
  await shop.pod("orders-1", "orders", { ip: "10.2.0.1" });
});
afterEach(async () => {
  stopping.abort();
  await proxy.close();
});

class Followed {
  readonly pipeline = new Pipeline({ trustDomain: "cluster.local", clusterDomain: "cluster.local" });
  /** Names of resources whose content changed, in order. */
  readonly changes: string[] = [];
  /** Changes without an object. */
  empty = 0;
  readonly started: Promise<void>;

  constructor(unservedMs = timing.unservedMs) {
    this.pipeline.snapshot.watch((kind, name) => this.changes.push(`${kind} ${name}`));
    this.started = watchCluster({
      api: proxy.api,
      signal: stopping.signal,
      log: log.write,
      onChange: (change) => {
        if (change.applied.length + change.removed.length === 0) this.empty++;
        this.pipeline.apply(change);
      },
      timing: { ...timing, unservedMs },
    });
    // A test that ends before it starts.
    this.started.catch(() => undefined);
  }

  addresses(service = "orders"): string[] | undefined {
    const found = this.pipeline.snapshot.get("endpoints", `${service}.${shop.name}.svc.cluster.local:80`);
    return found?.resource.kind === "endpoints"
      ? found.resource.value.endpoints.map(({ address }) => address)
      : undefined;
  }

  problems(): string[] {
    return this.pipeline.index.problems().map(formatProblem);
  }
}

async function follow(unservedMs?: number): Promise<Followed> {
  const followed = new Followed(unservedMs);
  await followed.started;
  await expect.poll(() => followed.addresses()).toEqual(["10.2.0.1:8080"]);
  return followed;
}

/** The log says what can't be followed, and why. */
async function troubled(plural: string, reason: string): Promise<void> {
  const fields = { plural, reason: expect.stringContaining(reason) as string };
  const line = { level: "warn", message: "can't be followed", fields };
  await expect.poll(() => log.lines).toContainEqual(line);
}

const on = (verb: ProxiedRequest["verb"], plural: string, kind: "hang" | "empty" | "silent" | "expired" | "half") => {
  return (request: ProxiedRequest) => (request.verb === verb && request.plural === plural ? { kind } : undefined);
};

describe("a kind that is not served", () => {
  const group = "gateway.networking.k8s.io";
  const kinds = ["httproutes", "grpcroutes", "referencegrants"];
  const asked = () => kinds.map((plural) => proxy.count("list", plural));

  it("is looked for by its group, once for all kinds of that, and its continued absence notifies nobody", async () => {
    proxy.fault = ({ plural }) => ([group, ...kinds].includes(plural) ? { kind: "status", status: 404 } : undefined);
    const followed = await follow(50);
    await expect.poll(() => proxy.count("list", group)).toBeGreaterThan(0);
    const [before, { empty }] = [asked(), followed];
    const looks = proxy.count("list", group);
    await expect.poll(() => proxy.count("list", group)).toBeGreaterThan(looks + 3);
    expect(asked()).toEqual(before);
    expect(followed.empty).toBe(empty);
  });

  it("is polled if its group exists, or if that may not be read", async () => {
    proxy.fault = ({ plural }) => {
      if (plural === group) return { kind: "status", status: 403 };
      return kinds.includes(plural) ? { kind: "status", status: 404 } : undefined;
    };
    const followed = await follow(50);
    const { empty } = followed;
    const [first = 0] = asked();
    await expect.poll(() => asked()[0]).toBeGreaterThan(first + 3);
    expect(followed.empty).toBe(empty);
  });
});

describe("at the start", () => {
  it.each([500, 503, 403])("a server that answers %i is waited for, and the log says for what", async (status) => {
    proxy.fault = ({ plural }) => (plural === "pods" ? { kind: "status", status } : undefined);
    const followed = new Followed();
    await troubled("pods", `status ${status}: by order of the test`);
    expect(followed.changes).toEqual([]);
    proxy.fault = () => undefined;
    await followed.started;
    expect(followed.addresses()).toEqual(["10.2.0.1:8080"]);
    expect(log.messages).toContain("followed again");
  });

  it("a server that hangs is given up and asked again", async () => {
    proxy.fault = on("list", "services", "hang");
    const followed = new Followed();
    await troubled("services", `no answer within ${timing.listMs} ms`);
    expect(proxy.count("list", "services")).toBeGreaterThan(1);
    proxy.fault = () => undefined;
    await followed.started;
    expect(followed.addresses()).toEqual(["10.2.0.1:8080"]);
    expect(log.messages).toContain("followed again");
  });

  it("429 is waited out for as long as the server says", async () => {
    proxy.fault = ({ plural }) =>
      plural === "services" ? { kind: "status", status: 429, retryAfterSeconds: 1 } : undefined;
    const followed = new Followed();
    await expect.poll(() => proxy.count("list", "services")).toBe(2);
    const [first, second] = proxy.requests.filter(({ plural }) => plural === "services");
    // The longest that we wait is shorter here than what it asks for.
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(timing.longestBackoffMs - 1);
    await troubled("services", "status 429: by order of the test");
    proxy.fault = () => undefined;
    await followed.started;
  });

  it("a server that knows no Services at all has not found its data yet", async () => {
    proxy.fault = on("list", "services", "empty");
    const followed = new Followed();
    await troubled("services", "the API server has no services at all, not even its own");
    expect(followed.changes).toEqual([]);
    proxy.fault = () => undefined;
    await followed.started;
    expect(followed.addresses()).toEqual(["10.2.0.1:8080"]);
  });
});

describe("a watch", () => {
  it("that was cut continues where it was: nothing is listed again, and nothing is missed", async () => {
    const followed = await follow();
    const lists = proxy.requests.filter(({ verb }) => verb === "list").length;
    proxy.fault = ({ verb }) => (verb === "watch" ? { kind: "status", status: 503 } : undefined);
    proxy.cut();
    await shop.pod("orders-2", "orders", { ip: "10.2.0.2" });
    proxy.fault = () => undefined;
    await expect.poll(() => followed.addresses()).toEqual(["10.2.0.1:8080", "10.2.0.2:8080"]);
    const gateway = new Set(["gateway.networking.k8s.io", "httproutes", "grpcroutes", "referencegrants"]);
    const again = proxy.requests.filter(({ verb, plural }) => verb === "list" && !gateway.has(plural)).length;
    expect(again).toBeLessThanOrEqual(lists);
  });

  it("that silently stops is noticed, and the log says so", async () => {
    proxy.fault = on("watch", "endpointslices", "silent");
    const followed = await follow();
    await shop.pod("orders-2", "orders", { ip: "10.2.0.2" });
    await expect.poll(() => proxy.count("watch", "endpointslices")).toBeGreaterThan(1);
    await troubled("endpointslices", `silent for ${timing.silenceMs} ms`);
    proxy.fault = () => undefined;
    await expect.poll(() => followed.addresses()).toHaveLength(2);
  });

  it("that is too old is listed again, without a gap, and only differences count as changes", async () => {
    const followed = await follow();
    proxy.fault = ({ verb, plural }) => (verb === "watch" && plural === "services" ? { kind: "expired" } : undefined);
    proxy.cut();
    await expect.poll(() => proxy.count("list", "services")).toBeGreaterThan(2);
    const before = followed.changes.length;
    await shop.delete("v1", "services/orders");
    await shop.service("payments");
    proxy.fault = () => undefined;
    await expect.poll(() => followed.addresses("payments")).toEqual([]);
    await expect.poll(() => followed.addresses()).toBeUndefined();
    const news = new Set(followed.changes.slice(before));
    const ours = (name: string) => [
      `destination ${name}.${shop.name}.svc.cluster.local:80`,
      `endpoints ${name}.${shop.name}.svc.cluster.local:80`,
    ];
    expect([...news].filter((name) => name.includes(shop.name)).sort()).toEqual(
      [...ours("orders"), ...ours("payments")].sort(),
    );
  });

  it("that ends in the middle of an event loses nothing", async () => {
    proxy.fault = on("watch", "endpointslices", "half");
    const followed = await follow();
    await shop.pod("orders-2", "orders", { ip: "10.2.0.2" });
    await expect.poll(() => proxy.count("watch", "endpointslices")).toBeGreaterThan(1);
    proxy.fault = () => undefined;
    await expect.poll(() => followed.addresses()).toHaveLength(2);
  });

  it("that hangs does not hold up the others", async () => {
    const followed = await follow();
    proxy.fault = on("watch", "services", "hang");
    proxy.cut();
    // Endpoints are followed on while Services are not.
    await shop.pod("orders-2", "orders", { ip: "10.2.0.2" });
    await expect.poll(() => followed.addresses()).toHaveLength(2);
  });
});

describe("a server that suddenly knows nothing", () => {
  it("deletes no endpoint: of some kinds it must have its own", async () => {
    const followed = await follow();
    const expire = (plural: string) => ["services", "endpointslices", "namespaces"].includes(plural);
    proxy.fault = ({ verb, plural }) => (expire(plural) ? { kind: verb === "watch" ? "expired" : "empty" } : undefined);
    proxy.cut();
    await expect
      .poll(() => followed.problems())
      .toContainEqual(expect.stringContaining("has no endpointslices at all"));
    expect(followed.addresses()).toEqual(["10.2.0.1:8080"]);
    proxy.fault = () => undefined;
    await expect.poll(() => followed.problems().filter((line) => line.startsWith("API server"))).toEqual([]);
    expect(followed.addresses()).toEqual(["10.2.0.1:8080"]);
  });

  it("keeps pods for a while, and they are back before it is over", async () => {
    const followed = await follow();
    proxy.fault = ({ verb, plural }) =>
      plural === "pods" ? { kind: verb === "watch" ? "expired" : "empty" } : undefined;
    const lists = proxy.count("list", "pods");
    proxy.cut();
    await expect.poll(() => proxy.count("list", "pods")).toBeGreaterThan(lists + 2);
    expect(followed.addresses()).toEqual(["10.2.0.1:8080"]);
    // Said once, however often it is listed meanwhile.
    const message = "none left at once: kept for a while";
    const fields = { plural: "pods", graceMs: timing.graceMs };
    expect(log.lines.filter((line) => line.message === message)).toEqual([{ level: "warn", message, fields }]);
    proxy.fault = () => undefined;
    await shop.pod("orders-2", "orders", { ip: "10.2.0.2" });
    await expect.poll(() => followed.addresses()).toHaveLength(2);
  });

  it("is believed once it has said so for long enough", async () => {
    const followed = await follow();
    const policy = {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "RetryPolicy",
      metadata: { name: "patient" },
      spec: { maxAttempts: 7 },
    };
    await shop.create("tulle.dev/v1alpha1", "retrypolicies", policy);
    const attempts = () => {
      const found = followed.pipeline.snapshot.get("destination", `orders.${shop.name}.svc.cluster.local:80`);
      return found?.resource.kind === "destination" ? found.resource.value.routes[0]?.retry?.maxAttempts : undefined;
    };
    await expect.poll(attempts).toBe(7);
    let passes = 1;
    proxy.fault = ({ verb, plural }) => {
      if (plural !== "retrypolicies") return undefined;
      return verb === "list" ? { kind: "empty" } : passes-- > 0 ? { kind: "expired" } : undefined;
    };
    proxy.cut();
    const sinceMs = performance.now();
    await expect.poll(attempts).toBeUndefined();
    expect(performance.now() - sinceMs).toBeGreaterThan(timing.graceMs - 100);
  });
});
