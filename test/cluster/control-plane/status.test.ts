/** What becomes of policies, as their authors see it with kubectl: two replicas of the control plane, and sidecars. */

import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import type { PolicyKind } from "../../../model/policy-object.ts";
import { eventually } from "../../support/eventually.ts";
import { type Kubectl, kubectlIn } from "../kubectl.ts";
import { ControlPlaneProcess } from "./control-plane-process.ts";
import { nested, TestNamespace } from "./objects.ts";
import { subscribe } from "./subscriber.ts";
import { requestToken } from "./workload.ts";
import { leasePath, tulle, WrittenStatuses } from "./written-statuses.ts";

const hosts = ["127.21.0.1", "127.21.0.2"] as const;
const patient = { timeout: 30_000, interval: 50 };

interface Replica {
  readonly host: string;
  readonly process: ControlPlaneProcess;
}

let api: ClusterApi;
let replicas: Replica[];
let shop: TestNamespace;
let statuses: WrittenStatuses;
let kubectl: Kubectl;

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  await api.request({ method: "DELETE", path: leasePath });
  replicas = hosts.map(startReplica);
  await eventually(() => replicas.every(({ process }) => process.ports !== undefined), 60_000);
});
afterAll(async () => {
  await Promise.all(replicas.map(({ process }) => process.stop()));
  api.close();
});
beforeEach(async () => {
  shop = await TestNamespace.create(api, "status", { "tulle.dev/inject": "enabled" });
  statuses = new WrittenStatuses(shop);
  kubectl = kubectlIn(inject("kubeconfig"), shop.name);
  await shop.service("catalog");
});

function startReplica(host: string): Replica {
  const others = hosts.flatMap((other) => ["--replicas", `${other}:15010`]);
  const listen = ["--listen-address", host, "--discovery-port", "15010"];
  return { host, process: new ControlPlaneProcess(inject("kubeconfig"), ...listen, ...others) };
}

const timeout = (name: string, spec: object = {}) => ({
  apiVersion: tulle,
  kind: "TimeoutPolicy",
  metadata: { name },
  spec: { targetRefs: [{ kind: "Service", name: "catalog" }], request: "1s", ...spec },
});

/** A good one of each kind; what it attaches to comes on top. */
const everyKind: Readonly<Record<PolicyKind, object>> = {
  AccessPolicy: { rules: [{ from: [{ namespace: "anybody" }] }] },
  CircuitBreaker: {},
  FaultInjection: { until: "2099-01-01T00:00:00Z", delay: { duration: "1ms" } },
  IdempotencyPolicy: {},
  RateLimit: { limits: [{ requests: 5 }] },
  RetryPolicy: {},
  TelemetryPolicy: { samplingRatio: 0.5 },
  TimeoutPolicy: {},
  TrafficSplit: { service: "catalog", backends: [{ service: "catalog" }] },
};

async function holder(): Promise<Replica | undefined> {
  const identity = nested((await api.request({ path: leasePath })).body, "spec", "holderIdentity");
  return replicas.find(({ process }) => process.said("leading").some((line) => line["identity"] === identity));
}

/** A sidecar of Deployment `web`, at this replica. */
async function sidecar({ host, process }: Replica, pod: string, refusal: () => string | undefined = () => undefined) {
  await shop.pod(pod, "web", { ip: "127.0.0.1" });
  const bundle = async () =>
    nested((await shop.read("v1", "configmaps/tulle-trust-bundle")).body, "data", "trust-bundle.pem");
  await expect.poll(bundle, patient).toContain("BEGIN CERTIFICATE");
  if (process.ports === undefined) throw new Error("not ready");
  return await subscribe({
    host,
    ports: process.ports,
    trustBundlePem: String(await bundle()),
    token: await requestToken(api, { namespace: shop, serviceAccount: "web", pod }),
    namespace: shop.name,
    pod,
    destination: `catalog.${shop.name}.svc.cluster.local:80`,
    refusal,
  });
}

describe("a policy", () => {
  it("that is in force is what kubectl wait waits for", async () => {
    await kubectl("apply -f -", timeout("t"));
    const { out, err } = await kubectl("wait --for=condition=Programmed timeoutpolicy/t --timeout=30s");
    expect(`${out}${err}`).toContain("timeoutpolicy.tulle.dev/t condition met");
    expect(await statuses.condition("timeoutpolicies/t", "Programmed")).toMatchObject({
      observedGeneration: 1,
      message: "0/0",
    });
    expect((await kubectl("get top t -o wide")).out).toMatch(/t\s+catalog\s+True\s+True\s+Accepted\s+0\/0/);
  });

  it("of whatever kind is what kubectl wait waits for and kubectl get shows", async () => {
    const targetRefs = [{ kind: "Service", name: "catalog" }];
    const items = Object.entries(everyKind).map(([kind, spec]) => {
      const attached = kind === "TrafficSplit" ? spec : { targetRefs, ...spec };
      return { apiVersion: tulle, kind, metadata: { name: "one" }, spec: attached };
    });
    expect(await kubectl("apply -f -", { apiVersion: "v1", kind: "List", items })).toMatchObject({ code: 0, err: "" });
    const waited = await kubectl("wait --for=condition=Programmed tulle --all --timeout=30s");
    expect(waited).toMatchObject({ code: 0, err: "" });
    expect(waited.out.match(/\/one condition met$/gm)).toHaveLength(items.length);
    const rows = (await kubectl("get tulle --no-headers")).out.trim().split("\n");
    const shown = rows.filter((row) => row !== "").map((row) => row.trim().split(/\s+/).slice(0, 4).join(" "));
    expect(shown.sort()).toEqual(
      items.map(({ kind }) => `${kind.toLowerCase()}.tulle.dev/one catalog True True`).sort(),
    );
  });

  it("that asks for mutual TLS alone names a pod that can't refuse anything, from when it is there until it is gone", async () => {
    await shop.pod("web-1", "web", { ip: "10.7.2.1" });
    await shop.create(tulle, "accesspolicies", {
      apiVersion: tulle,
      kind: "AccessPolicy",
      metadata: { name: "strict" },
      spec: { mtls: "strict" },
    });
    const programmed = () => statuses.reason("accesspolicies/strict", "Programmed");
    await expect.poll(programmed, patient).toBe("NoSubscribers");
    await shop.pod("web-2", "web", { ip: "10.7.2.2", redirected: false });
    await expect.poll(programmed, patient).toBe("NotRedirected");
    expect(await statuses.message("accesspolicies/strict", "Programmed")).toContain(`reaches ${shop.name}/web-2:`);
    expect(await statuses.reason("accesspolicies/strict", "Accepted")).toBe("Accepted");
    expect(await statuses.eventReasons()).toEqual(["NotRedirected"]);
    await shop.delete("v1", "pods/web-2");
    await expect.poll(programmed, patient).toBe("NoSubscribers");
  });

  it("says of which generation it speaks, and when a condition last changed", async () => {
    await shop.create(tulle, "timeoutpolicies", timeout("t"));
    await expect.poll(() => statuses.reason("timeoutpolicies/t", "Programmed"), patient).toBe("NoSubscribers");
    const before = await statuses.condition("timeoutpolicies/t", "Accepted");
    await shop.patch(tulle, "timeoutpolicies/t", { spec: { request: "2s" } });
    await expect
      .poll(async () => (await statuses.condition("timeoutpolicies/t", "Accepted"))?.observedGeneration, patient)
      .toBe(2);
    const after = await statuses.condition("timeoutpolicies/t", "Accepted");
    expect(after?.lastTransitionTime).toBe(before?.lastTransitionTime);
  });

  it("that is replaced by an equal one gets the same status anew", async () => {
    await kubectl("apply -f -", timeout("t"));
    await kubectl("wait --for=condition=Accepted timeoutpolicy/t --timeout=30s");
    expect(await kubectl("replace --force -f -", timeout("t"))).toMatchObject({ code: 0 });
    const { out, err } = await kubectl("wait --for=condition=Accepted timeoutpolicy/t --timeout=30s");
    expect(`${out}${err}`).toContain("condition met");
  });

  it("that no schema could refuse says what is wrong with which field, and so does an Event", async () => {
    const match = [{ path: { type: "RegularExpression", value: "(a" } }];
    await shop.create(tulle, "ratelimits", {
      apiVersion: tulle,
      kind: "RateLimit",
      metadata: { name: "r" },
      spec: { limits: [{ requests: 5, match }] },
    });
    await expect.poll(() => statuses.reason("ratelimits/r", "Accepted"), patient).toBe("Invalid");
    expect(await statuses.message("ratelimits/r", "Accepted")).toMatch(
      /^spec\.limits\[0\]\.match\[0\]\.path\.value: .*nothing of it/,
    );
    expect(await statuses.reason("ratelimits/r", "Programmed")).toBe("NotInForce");
    const { out } = await kubectl("describe ratelimit r");
    expect(out).toMatch(/Warning\s+Invalid\s+\S+\s+tulle\.dev\/controller.*spec\.limits\[0\]/);
  });

  it("that loses to an older one names it, and takes over when that is deleted", async () => {
    const older = await shop.create(tulle, "timeoutpolicies", timeout("older"));
    await expect.poll(() => statuses.reason("timeoutpolicies/older", "Programmed"), patient).toBe("NoSubscribers");
    // The API server counts ages in seconds.
    const createdAtMs = Date.parse(String(nested(older, "metadata", "creationTimestamp")));
    await eventually(() => Date.now() >= createdAtMs + 1_000);
    await shop.create(tulle, "timeoutpolicies", timeout("newer", { request: "2s" }));
    await expect.poll(() => statuses.reason("timeoutpolicies/newer", "Accepted"), patient).toBe("Conflicted");
    expect(await statuses.message("timeoutpolicies/newer", "Accepted")).toContain(`TimeoutPolicy ${shop.name}/older`);
    expect(await statuses.reason("timeoutpolicies/older", "Accepted")).toBe("Accepted");
    await expect.poll(() => statuses.eventReasons(), patient).toContain("Conflicted");
    await shop.delete(tulle, "timeoutpolicies/older");
    await expect.poll(() => statuses.reason("timeoutpolicies/newer", "Accepted"), patient).toBe("Accepted");
  });

  it("that leads nowhere is told so until there is what it names", async () => {
    const spec = { service: "catalog", backends: [{ service: "v2", weight: 1 }] };
    await shop.create(tulle, "trafficsplits", {
      apiVersion: tulle,
      kind: "TrafficSplit",
      metadata: { name: "s" },
      spec,
    });
    await expect.poll(() => statuses.reason("trafficsplits/s", "ResolvedRefs"), patient).toBe("BackendNotFound");
    expect(await statuses.message("trafficsplits/s", "ResolvedRefs")).toContain("spec.backends[0].service");
    await expect.poll(() => statuses.eventReasons(), patient).toEqual(["BackendNotFound"]);
    await shop.service("v2");
    await expect.poll(() => statuses.reason("trafficsplits/s", "ResolvedRefs"), patient).toBe("ResolvedRefs");
    await shop.delete("v1", "services/v2");
    await expect.poll(() => statuses.reason("trafficsplits/s", "ResolvedRefs"), patient).toBe("BackendNotFound");
    expect(await statuses.eventReasons()).toEqual(["BackendNotFound"]); // once for each generation
  });

  it("keeps conditions of others beside its own", async () => {
    await shop.create(tulle, "timeoutpolicies", timeout("t"));
    await expect.poll(() => statuses.reason("timeoutpolicies/t", "Programmed"), patient).toBe("NoSubscribers");
    const foreign = {
      type: "Audited",
      status: "True",
      reason: "X",
      message: "",
      lastTransitionTime: "2026-06-01T12:00:00Z",
    };
    const { body } = await shop.read(tulle, "timeoutpolicies/t");
    const own = nested(body, "status", "conditions") as unknown[];
    await shop.patch(tulle, "timeoutpolicies/t/status", { status: { conditions: [...own, foreign] } });
    await shop.patch(tulle, "timeoutpolicies/t", { spec: { request: "2s" } });
    await expect
      .poll(async () => (await statuses.condition("timeoutpolicies/t", "Programmed"))?.observedGeneration, patient)
      .toBe(2);
    expect(await statuses.condition("timeoutpolicies/t", "Audited")).toEqual(foreign);
  });

  it("is not written to while nothing of it changes", async () => {
    await shop.create(tulle, "timeoutpolicies", timeout("quiet"));
    await expect.poll(() => statuses.reason("timeoutpolicies/quiet", "Programmed"), patient).toBe("NoSubscribers");
    const version = async () =>
      nested((await shop.read(tulle, "timeoutpolicies/quiet")).body, "metadata", "resourceVersion");
    const before = await version();
    await shop.service("other");
    await shop.create(tulle, "retrypolicies", {
      apiVersion: tulle,
      kind: "RetryPolicy",
      metadata: { name: "busy" },
      spec: { targetRefs: [{ kind: "Service", name: "other" }] },
    });
    await expect.poll(() => statuses.reason("retrypolicies/busy", "Programmed"), patient).toBe("NoSubscribers");
    expect(await version()).toBe(before);
  });
});

describe("Programmed", () => {
  it("counts the sidecars of all replicas, and names who has not answered or refuses", async () => {
    const [one, two] = replicas;
    if (one === undefined || two === undefined) throw new Error("two replicas");
    let fault: string | undefined;
    const leave = [await sidecar(one, "web-1"), await sidecar(two, "web-2", () => fault)];
    try {
      await shop.create(tulle, "timeoutpolicies", timeout("t"));
      await expect
        .poll(() => statuses.message("timeoutpolicies/t", "Programmed"), patient)
        .toBe("2/2 sidecars at version 1");
      fault = "a timeout that it does not know";
      await shop.patch(tulle, "timeoutpolicies/t", { spec: { request: "2s" } });
      await expect.poll(() => statuses.reason("timeoutpolicies/t", "Programmed"), patient).toBe("Refused");
      expect(await statuses.condition("timeoutpolicies/t", "Programmed")).toMatchObject({
        status: "False",
        message: "1/2 sidecars at version 2; web-2: a timeout that it does not know",
        observedGeneration: 2,
      });
      await expect.poll(() => statuses.eventReasons(), patient).toEqual(["Refused"]);
      fault = undefined;
      await shop.patch(tulle, "timeoutpolicies/t", { spec: { request: "3s" } });
      await expect
        .poll(() => statuses.message("timeoutpolicies/t", "Programmed"), patient)
        .toBe("2/2 sidecars at version 3");
      // Another policy is pushed to the same sidecars, and nothing is written of this one.
      const versionOf = async () =>
        nested((await shop.read(tulle, "timeoutpolicies/t")).body, "metadata", "resourceVersion");
      const before = await versionOf();
      await shop.create(tulle, "retrypolicies", {
        apiVersion: tulle,
        kind: "RetryPolicy",
        metadata: { name: "r" },
        spec: { targetRefs: [{ kind: "Service", name: "catalog" }] },
      });
      await expect
        .poll(() => statuses.message("retrypolicies/r", "Programmed"), patient)
        .toBe("2/2 sidecars at version 1");
      expect(await versionOf()).toBe(before);
    } finally {
      for (const end of leave) end();
    }
    await expect.poll(() => statuses.message("timeoutpolicies/t", "Programmed"), patient).toBe("0/0");
  });
});

describe("of several replicas", () => {
  it("one writes, and the lease says which", async () => {
    await expect.poll(holder, patient).toBeDefined();
    const { body } = await api.request({ path: leasePath });
    expect(nested(body, "spec", "leaseDurationSeconds")).toBe(15);
    const leader = await holder();
    const leads = await Promise.all(replicas.map(async (replica) => [replica === leader, await isLeader(replica)]));
    for (const [holds, says] of leads) expect(says).toBe(holds);
  });

  it("another writes at once where the one that did stops, and before long where it dies", async () => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await expect.poll(holder, patient).toBeDefined();
      const leader = await holder();
      if (leader === undefined) throw new Error("nobody leads");
      // Written before the one below: they are written in the order of their names.
      const held = `a-${signal.toLowerCase()}`;
      const leave = await sidecar(leader, `pod-${signal.toLowerCase()}`);
      await shop.create(tulle, "timeoutpolicies", timeout(held));
      const programmed = () => statuses.message(`timeoutpolicies/${held}`, "Programmed");
      await expect.poll(programmed, patient).toBe("1/1 sidecars at version 1");
      await leader.process.stop(signal);
      leave();
      replicas = replicas.filter((replica) => replica !== leader);
      const startMs = performance.now();
      const name = `after-${signal.toLowerCase()}`;
      await shop.create(tulle, "timeoutpolicies", timeout(name, { targetRefs: [{ kind: "Service", name: "none" }] }));
      await expect.poll(() => statuses.reason(`timeoutpolicies/${name}`, "Accepted"), patient).toBe("TargetNotFound");
      expect(performance.now() - startMs).toBeLessThan(signal === "SIGTERM" ? 8_000 : 28_000);
      // Its sidecar may still return.
      expect(await programmed()).toBe("1/1 sidecars at version 1");
      await shop.delete(tulle, `timeoutpolicies/${held}`);
      const back = startReplica(leader.host);
      replicas.push(back);
      await eventually(() => back.process.ports !== undefined, 60_000);
    }
  }, 150_000);
});

async function isLeader({ host, process }: Replica): Promise<boolean> {
  const text = await (await fetch(`http://${host}:${process.ports?.admin}/metrics`)).text();
  return /^tulle_status_leader 1$/m.test(text);
}
