import { describe, expect, it } from "vitest";
import type { AdmissionAnswer } from "../../../control-plane/admission/review.ts";
import { defaultInjectionConfig, readInjectionConfig } from "../../../control-plane/injection/config.ts";
import { inject, isInjected } from "../../../control-plane/injection/inject.ts";
import type { PodTemplate } from "../../../control-plane/injection/pod-spec.ts";
import { injectHandler } from "../../../control-plane/injection/webhook.ts";
import { workloadOf } from "../../../control-plane/injection/workload.ts";
import { applyPatch } from "../../support/json-patch.ts";

const target = { namespace: "shop", workload: "orders" };
const plain: PodTemplate = { metadata: { name: "orders" }, spec: { containers: [{ name: "orders" }] } };

function injected(pod: PodTemplate, config = defaultInjectionConfig): PodTemplate {
  const injection = inject(pod, target, config);
  if (injection.kind !== "injected") throw new Error(JSON.stringify(injection));
  return injection.pod;
}

function ask(object: unknown, operation: "CREATE" | "UPDATE" = "CREATE"): AdmissionAnswer {
  const review = {
    uid: "1",
    group: "",
    kind: "Pod",
    subresource: "",
    name: "",
    oldObject: null,
    dryRun: false,
  } as const;
  return injectHandler(defaultInjectionConfig)({ ...review, namespace: "shop", operation, object });
}

function namesOf({ spec }: PodTemplate): readonly string[] {
  return (spec.initContainers ?? []).map(({ name }) => name);
}

describe("inject", () => {
  it("puts the redirect first and the sidecar second, before the application's own init containers", () => {
    const pod = injected({ ...plain, spec: { ...plain.spec, initContainers: [{ name: "migrate" }] } });
    expect(namesOf(pod)).toEqual(["tulle-init", "tulle-sidecar", "migrate"]);
    expect(isInjected(pod)).toBe(true);
  });

  it("mounts keys, tokens and roots into the sidecar alone", () => {
    const { spec } = injected(plain);
    const mounts = [...spec.containers, ...(spec.initContainers ?? [])].map((c) => [c.name, c["volumeMounts"]]);
    expect(mounts.filter(([, mounted]) => mounted !== undefined).map(([name]) => name)).toEqual(["tulle-sidecar"]);
  });

  it("moves back to the first place if another webhook has put its container before it", () => {
    const pod = injected(plain);
    const own = pod.spec.initContainers ?? [];
    const reordered = { ...pod, spec: { ...pod.spec, initContainers: [{ name: "other-webhook" }, ...own] } };
    expect(namesOf(injected(reordered))).toEqual(["tulle-init", "tulle-sidecar", "other-webhook"]);
  });

  it("takes over the probes of a container that another webhook has added since", () => {
    const { metadata = {}, spec } = injected(plain);
    const added = { name: "added", readinessProbe: { httpGet: { path: "/", port: 8080 } } };
    const again = injected({ metadata, spec: { ...spec, containers: [...spec.containers, added] } });
    expect(again.spec.containers[1]?.readinessProbe).toEqual({
      httpGet: { path: "/probe/added/readiness", port: 15_020 },
    });
    const sidecar = again.spec.initContainers?.[1];
    expect(sidecar?.env?.find(({ name }) => name === "TULLE_PROBES")?.value).toContain("/probe/added/readiness");
  });

  it("keeps the image of an existing sidecar, whatever the mesh's version is now", () => {
    const older = injected(plain, { ...defaultInjectionConfig, proxyVersion: "0.0.9" });
    expect(injected(older)).toEqual(older);
  });

  it("leaves out the pause before an application's end if Kubernetes does not support it", () => {
    const pod = injected(plain, { ...defaultInjectionConfig, kubernetesMinor: 29 });
    expect(pod.spec.containers).toEqual(plain.spec.containers);
  });

  it("writes the mesh's opaque ports on a pod that names none, since callers read them there", () => {
    const config = {
      ...defaultInjectionConfig,
      defaults: { ...defaultInjectionConfig.defaults, opaquePorts: [3306, 6379] },
    };
    const key = "tulle.dev/opaque-ports";
    expect(injected(plain, config).metadata?.annotations?.[key]).toBe("3306,6379");
    const own = { ...plain, metadata: { annotations: { [key]: "7000" } } };
    expect(injected(own, config).metadata?.annotations?.[key]).toBe("7000");
    expect(injected(plain).metadata?.annotations).not.toHaveProperty(key);
  });

  it("tells the sidecar where and how to send traces, or nothing if they go nowhere", () => {
    const tracing = { endpoint: "http://collector.observability:4317", protocol: "grpc" };
    const told = ({ spec }: PodTemplate) =>
      (spec.initContainers?.[1]?.env ?? []).filter(({ name }) => name.startsWith("OTEL_"));
    expect(told(injected(plain, { ...defaultInjectionConfig, tracing }))).toEqual([
      { name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://collector.observability:4317" },
      { name: "OTEL_EXPORTER_OTLP_PROTOCOL", value: "grpc" },
    ]);
    expect(told(injected(plain))).toEqual([]);
  });

  it("refuses on Kubernetes 1.28, which has no native sidecars", () => {
    const injection = inject(plain, target, { ...defaultInjectionConfig, kubernetesMinor: 28 });
    expect(injection).toMatchObject({ kind: "refused", errors: [{ path: "spec" }] });
  });

  it("accepts a container with its own user if only the pod's would conflict", () => {
    const spec = {
      securityContext: { runAsUser: 1337 },
      containers: [{ name: "a", securityContext: { runAsUser: 1 } }],
    };
    expect(inject({ spec }, target, defaultInjectionConfig).kind).toBe("injected");
  });

  it("refuses a container that inherits its user from the pod", () => {
    const spec = {
      securityContext: { runAsUser: 1337 },
      containers: [{ name: "a", securityContext: { privileged: true } }],
    };
    expect(inject({ spec }, target, defaultInjectionConfig).kind).toBe("refused");
  });
});

describe("the webhook", () => {
  it("patches a pod that has neither metadata nor annotations", () => {
    const answer = ask({ spec: { containers: [{ name: "one" }] } });
    if (answer.verdict === "refuse") throw new Error("refused");
    const pod = applyPatch({ spec: { containers: [{ name: "one" }] } }, answer.patch ?? []);
    expect(isInjected(pod as PodTemplate)).toBe(true);
  });

  it("says nothing about an update: a pod's containers can't be changed", () => {
    expect(ask(plain, "UPDATE")).toEqual({ verdict: "admit", warnings: [] });
  });

  it.each([
    ["no object", null, ""],
    ["no spec", {}, "spec"],
    ["containers that are none", { spec: { containers: "x" } }, "spec.containers"],
    ["a container without a name", { spec: { containers: [{}] } }, "spec.containers[0].name"],
    [
      "an annotation that is no text",
      { metadata: { annotations: { a: 1 } }, spec: { containers: [] } },
      'metadata.annotations["a"]',
    ],
    [
      "a probe that is a list",
      { spec: { containers: [{ name: "a", livenessProbe: [] }] } },
      "spec.containers[0].livenessProbe",
    ],
    [
      "a header without a value",
      { spec: { containers: [{ name: "a", livenessProbe: { httpGet: { port: 1, httpHeaders: [{ name: "x" }] } } }] } },
      "spec.containers[0].livenessProbe.httpGet.httpHeaders[0]",
    ],
  ])("refuses %s by its path", (_name, object, path) => {
    expect(ask(object)).toMatchObject({ verdict: "refuse", causes: [{ path }] });
  });

  it("is not confused by a broken table of probes from an earlier injection", () => {
    const { metadata = {}, spec } = injected(plain);
    const broken = (spec.initContainers ?? []).map((c) => ({ ...c, env: [{ name: "TULLE_PROBES", value: "{" }] }));
    expect(ask({ metadata, spec: { ...spec, initContainers: broken } })).toEqual({ verdict: "admit", warnings: [] });
  });

  it("treats names such as __proto__ as ordinary names", () => {
    const container = { name: "__proto__", livenessProbe: { httpGet: { path: "/", port: "constructor" } } };
    expect(ask({ spec: { containers: [container] } }).verdict).toBe("admit");
  });
});

describe("workloadOf", () => {
  it.each([
    [
      {
        ownerReferences: [{ kind: "ReplicaSet", name: "a-b-5f", controller: true }],
        labels: { "pod-template-hash": "5f" },
      },
      "a-b",
    ],
    [{ ownerReferences: [{ kind: "ReplicaSet", name: "bare" }] }, "bare"],
    [{ ownerReferences: [{ kind: "StatefulSet", name: "store" }], name: "store-0" }, "store"],
    [{ ownerReferences: [{ kind: "Job", name: "report-29384710" }] }, "report"],
    [{ ownerReferences: [{ kind: "Job", name: "once-7" }] }, "once-7"],
    [{ ownerReferences: [{ kind: "Job", name: "import-20240101" }] }, "import-20240101"],
    [{ ownerReferences: [{ kind: "ReplicationController", name: "legacy" }], name: "legacy-x7k2p" }, "legacy"],
    [{ name: "alone" }, "alone"],
    [{ generateName: "alone-" }, "alone"],
  ])("reads %j as %s", (meta, workload) => {
    expect(workloadOf(meta)).toBe(workload);
  });
});

describe("readInjectionConfig", () => {
  it("uses the defaults for absent fields", () => {
    expect(readInjectionConfig(undefined)).toEqual({ ok: true, value: defaultInjectionConfig });
    const said = readInjectionConfig({ defaults: { skipInboundPorts: [9090] }, images: { sidecar: "x/y:1" } });
    expect(said).toMatchObject({ ok: true, value: { defaults: { skipInboundPorts: [9090], cpuRequest: "10m" } } });
  });

  it.each([
    [{ imagez: {} }, "imagez", "unknown field"],
    [{ images: { sidecar: 1 } }, "images.sidecar", "must be a string, got 1"],
    [{ defaults: [] }, "defaults", "must be a mapping"],
    [{ kubernetesMinor: "29" }, "kubernetesMinor", 'must be a number, got "29"'],
    [
      { defaults: { upstreams: "payments:80" } },
      "defaults.upstreams",
      'must be DESTINATION:PORT=LOOPBACK_ADDRESS:PORT, separated by commas: payments:80 is not, got "payments:80"',
    ],
    [{ defaults: { routeBy: "luck" } }, "defaults.routeBy", 'must be address or host, got "luck"'],
  ])("refuses %j", (value, path, message) => {
    expect(readInjectionConfig(value)).toEqual({ ok: false, error: [{ path, message }] });
  });
});
