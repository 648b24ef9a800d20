import { describe, expect, it } from "vitest";
import type { DevDeployment } from "../../../cli/dev/deployments.ts";
import { applicationEnvironment, podObject } from "../../../cli/dev/pod-object.ts";

const identity = { namespace: "shop", pod: "web-1", podIP: "127.70.1.2", serviceAccount: "web", workload: "web" };
const deployment: DevDeployment = {
  namespace: "shop",
  name: "web",
  replicas: 1,
  template: {
    command: "node web.ts",
    labels: { app: "web" },
    annotations: { note: "kept" },
    serviceAccount: "web",
    ports: [{ name: "http", containerPort: 8080 }],
    env: [
      { name: "HOST", value: "0.0.0.0" },
      { name: "ME", field: "metadata.name" },
      { name: "APP", field: "metadata.labels['app']" },
      { name: "URL", value: "http://$(ME)/$(UNKNOWN)" },
    ],
    graceMs: 30_000,
  },
};

describe("applicationEnvironment", () => {
  const base = { HOME: "/home", OTEL_EXPORTER_OTLP_ENDPOINT: "http://10.0.0.9:4318" };
  const env = applicationEnvironment(identity, deployment, "http://127.70.1.2:15001", base);

  it("puts the pod's own address into HOST, whatever the container's env says", () => {
    expect(env["HOST"]).toBe("127.70.1.2");
    expect(env["PORT"]).toBe("8080");
  });

  it("passes the container's variables, including fields of the pod and references", () => {
    expect(env).toMatchObject({ HOME: "/home", ME: "web-1", APP: "web", URL: "http://web-1/$(UNKNOWN)" });
  });

  it("sends HTTP through the sidecar, but not to itself or to where traces go", () => {
    expect(env["http_proxy"]).toBe("http://127.70.1.2:15001");
    expect(env["no_proxy"]).toBe("localhost,127.0.0.1,127.70.1.2,10.0.0.9");
  });
});

describe("podObject", () => {
  it("is what a cluster would show for a meshed pod", () => {
    expect(podObject(identity, deployment, { ready: true }, "1.2.3")).toMatchObject({
      kind: "Pod",
      metadata: {
        name: "web-1",
        labels: { app: "web" },
        annotations: { note: "kept", "tulle.dev/proxy-version": "1.2.3", "tulle.dev/intercept": "off" },
      },
      spec: { serviceAccountName: "web", containers: [{ ports: [{ name: "http", containerPort: 8080 }] }] },
      status: { podIP: "127.70.1.2", conditions: [{ type: "Ready", status: "True" }] },
    });
  });

  it("says since when the pod is terminating", () => {
    const deletionTimestamp = "2026-01-01T00:00:00Z";
    const leaving = podObject(identity, deployment, { ready: true, deletionTimestamp }, "1.2.3");
    expect(leaving).toMatchObject({ metadata: { deletionTimestamp } });
  });
});
