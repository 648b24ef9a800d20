import { describe, expect, it } from "vitest";
import { readDeployment } from "../../../cli/dev/deployments.ts";
import { parseManifest } from "../../../control-plane/source/manifest.ts";

function read(yaml: string) {
  const [object] = parseManifest(yaml, "web.yaml").objects;
  if (object === undefined) throw new Error("no object in the test's own YAML");
  return readDeployment(object);
}

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  replicas: 2
  template:
    metadata:
      labels: { app: web }
      annotations: { tulle.dev/dev-command: node web.ts }
    spec:
      serviceAccountName: web
      terminationGracePeriodSeconds: 5
      containers:
        - name: web
          ports: [{ name: http, containerPort: 8080 }, { containerPort: 9090 }]
          env: [{ name: MODE, value: fast }, { name: ME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }]
          readinessProbe: { httpGet: { path: /healthz, port: http }, periodSeconds: 2, failureThreshold: 1 }
`;

describe("readDeployment", () => {
  it("reads what starts a pod", () => {
    expect(read(web)).toEqual({
      ok: true,
      value: {
        namespace: "shop",
        name: "web",
        replicas: 2,
        template: {
          command: "node web.ts",
          labels: { app: "web" },
          annotations: { "tulle.dev/dev-command": "node web.ts" },
          serviceAccount: "web",
          ports: [{ name: "http", containerPort: 8080 }, { containerPort: 9090 }],
          env: [
            { name: "MODE", value: "fast" },
            { name: "ME", field: "metadata.name" },
          ],
          readiness: {
            check: { kind: "http", port: 8080, path: "/healthz" },
            periodMs: 2_000,
            timeoutMs: 1_000,
            failureThreshold: 1,
          },
          graceMs: 5_000,
        },
      },
    });
  });

  it("uses an open port as readiness if there is no probe", () => {
    const read1 = read(web.replace(/^ +readinessProbe.*$/m, ""));
    expect(read1.ok && read1.value.template.readiness?.check).toEqual({ kind: "tcp", port: 8080 });
  });

  it.each([
    [
      "a missing command",
      /^ +annotations:.*$/m,
      "",
      'spec.template.metadata.annotations["tulle.dev/dev-command"]',
      "is required",
    ],
    ["replicas below 0", "replicas: 2", "replicas: -1", "spec.replicas", "got -1"],
    ["replicas that are no number", "replicas: 2", "replicas: two", "spec.replicas", 'got "two"'],
    ["a port that is none", "containerPort: 9090", "containerPort: 99999", ".containerPort", "got 99999"],
    ["a probe of an unknown port", "port: http }", "port: web }", "containers[0].readinessProbe", 'got "web"'],
    [
      "an upstream that makes no sense",
      /annotations: \{/,
      "annotations: { tulle.dev/upstreams: payments, ",
      'spec.template.metadata.annotations["tulle.dev/upstreams"]',
      ": payments is not",
    ],
    [
      "an environment from a Secret",
      "fieldRef: { fieldPath: metadata.name }",
      "secretKeyRef: { name: a }",
      "containers[0].env[1].valueFrom",
      "only fieldRef",
    ],
  ])("refuses %s with the field's path", (_case, from, to, path, message) => {
    const result = read(web.replace(from, to));
    expect(result.ok).toBe(false);
    const errors = result.ok ? [] : result.error;
    expect(errors).toHaveLength(1);
    expect(errors[0]?.path).toContain(path);
    expect(errors[0]?.message).toContain(message);
  });
});
