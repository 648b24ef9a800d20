import { describe, expect, it } from "vitest";
import { strip } from "../../../../control-plane/source/kubernetes/strip.ts";

const meta = {
  namespace: "shop",
  name: "orders-1",
  uid: "u1",
  resourceVersion: "7",
  managedFields: [{ manager: "kubelet" }],
  labels: { app: "orders" },
  annotations: { "tulle.dev/proxy-version": "0.1.0", "tulle.dev/workload": "orders", "example.com/note": "long" },
};
const sidecar = { name: "tulle-sidecar", restartPolicy: "Always", ports: [{ containerPort: 15_008 }] };
const redirect = { name: "tulle-init", image: "tulle/init:0.1.0" };
const app = { name: "app", image: "app:1", env: [{ name: "A" }], ports: [{ name: "http", containerPort: 8080 }] };
const spec = {
  serviceAccountName: "orders",
  nodeName: "n1",
  containers: [app],
  initContainers: [redirect, sidecar, { name: "migrate", image: "app:1" }],
  volumes: [{}],
};
const status = {
  phase: "Running",
  podIP: "10.0.0.1",
  hostIP: "10.1.1.1",
  conditions: [
    { type: "Ready", status: "True", lastProbeTime: null },
    { type: "Initialized", status: "True" },
  ],
};

describe("keeps of a pod with a sidecar", () => {
  it("what is read, its own containers' ports, and which of the mesh's containers it has", () => {
    expect(strip("Pod", { metadata: meta, spec, status })).toEqual({
      kind: "Pod",
      metadata: {
        namespace: "shop",
        name: "orders-1",
        uid: "u1",
        labels: { app: "orders" },
        annotations: { "tulle.dev/proxy-version": "0.1.0", "tulle.dev/workload": "orders" },
      },
      spec: {
        serviceAccountName: "orders",
        nodeName: "n1",
        containers: [{ name: "app", ports: [{ name: "http", containerPort: 8080 }] }],
        initContainers: [{ name: "tulle-init" }, { name: "tulle-sidecar" }],
      },
      status: { phase: "Running", podIP: "10.0.0.1", conditions: [{ type: "Ready", status: "True" }] },
    });
  });

  it("its addresses if it has several", () => {
    const stripped = (...ips: string[]) =>
      strip("Pod", { metadata: meta, spec, status: { ...status, podIPs: ips.map((ip) => ({ ip })) } })["status"];
    expect(stripped("10.0.0.1")).not.toHaveProperty("podIPs");
    expect(stripped("10.0.0.1", "fd00::1")).toMatchObject({ podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] });
  });
});

describe("keeps of another pod", () => {
  const nothing = {
    kind: "Pod",
    metadata: { namespace: "shop", name: "orders-1", uid: "u1" },
    status: { phase: "Running" },
  };

  it("only its existence, if it has no stamp", () => {
    expect(strip("Pod", { metadata: { ...meta, annotations: {} }, spec, status })).toEqual(nothing);
  });

  it("whether it asks for a sidecar, and whether it is a static pod", () => {
    const labels = { app: "orders", "tulle.dev/inject": "enabled" };
    const annotations = { "kubernetes.io/config.mirror": "hash", other: "1" };
    expect(strip("Pod", { metadata: { ...meta, labels, annotations }, spec, status })).toEqual({
      ...nothing,
      metadata: {
        ...nothing.metadata,
        labels: { "tulle.dev/inject": "enabled" },
        annotations: { "kubernetes.io/config.mirror": "" },
      },
    });
  });

  it("only its existence, if it has a stamp but no sidecar: anybody can write an annotation", () => {
    expect(strip("Pod", { metadata: meta, spec: { ...spec, initContainers: [] }, status })).toEqual(nothing);
  });
});

it("keeps all fields of a policy that its author wrote, but not its status", () => {
  const policy = {
    apiVersion: "tulle.dev/v1alpha1",
    metadata: { ...meta, annotations: {} },
    spec: { a: 1 },
    spce: {},
    status,
  };
  expect(strip("RetryPolicy", policy)).toEqual({
    apiVersion: "tulle.dev/v1alpha1",
    kind: "RetryPolicy",
    metadata: { namespace: "shop", name: "orders-1", uid: "u1" },
    spec: { a: 1 },
    spce: {},
  });
});

it("keeps only the fields of an EndpointSlice that are read", () => {
  const targetRef = { kind: "Pod", name: "a", uid: "u", namespace: "shop" };
  const slice = {
    metadata: meta,
    addressType: "IPv4",
    ports: [],
    endpoints: [{ addresses: ["10.0.0.1"], hostname: "a", targetRef }],
  };
  expect(strip("EndpointSlice", slice)).toMatchObject({
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"], targetRef: { kind: "Pod", name: "a", uid: "u" } }],
  });
});

it("survives values that are not objects of their kind", () => {
  for (const kind of ["Pod", "Service", "Namespace", "EndpointSlice", "RetryPolicy"]) {
    expect(strip(kind, { metadata: 3, spec: "no", status: [], endpoints: { a: 1 } })).toMatchObject({ kind });
  }
});
