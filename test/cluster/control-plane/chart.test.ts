/**
 * A real API server accepts what the chart renders, with every flag. The output conforms to the schemas that the server
 * publishes, and passes a dry run on the server that refuses unknown fields and applies the same defaults and admission as an
 * installation, including immutable fields and Pod Security.
 */

import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { parse } from "yaml";
import { meshNamespace } from "../../../control-plane/index/facts.ts";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { dashboards } from "../../../deploy/grafana/generate.ts";
import { policyKinds } from "../../../model/parse/policy.ts";
import { eventually } from "../../support/eventually.ts";
import { kubectlIn } from "../kubectl.ts";
import { chart, charts, helm, objectsIn, template } from "./chart.ts";
import { conformityOf, type Definitions, publishedDefinitions } from "./kubeconform.ts";
import { expectDone } from "./objects.ts";

const kubectl = kubectlIn(inject("kubeconfig"), meshNamespace);

let api: ClusterApi;
let definitions: Definitions;

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  const home = process.env["CLUSTER_HOME"] ?? join(homedir(), ".cache", "tulle-cluster");
  for (const file of readdirSync(join(home, "operator-crds"))) {
    const made = await kubectl(
      "apply --server-side -f -",
      parse(readFileSync(join(home, "operator-crds", file), "utf8")),
    );
    if (made.code !== 0) throw new Error(made.err);
  }
  await kubectl("wait crd --all --for=condition=Established --timeout=20s");
  // A definition's schema is published a moment after it is established.
  await eventually(async () => {
    definitions = await publishedDefinitions(kubectl);
    return operated.every((kind) => definitions.has(`com.coreos.monitoring.v1.${kind}`));
  }, 20_000);
  const labels = {
    "pod-security.kubernetes.io/warn": "restricted",
    "pod-security.kubernetes.io/enforce": "restricted",
  };
  expectDone(
    await api.request({
      method: "PATCH",
      path: `/api/v1/namespaces/${meshNamespace}`,
      contentType: "application/merge-patch+json",
      body: { metadata: { labels } },
    }),
  );
});
afterAll(() => api.close());

const operated = ["PodMonitor", "PrometheusRule", "ServiceMonitor"];
const everything = [
  "alerts.enabled=true",
  "alerts.labels.release=prometheus",
  "dashboards.enabled=true",
  "dashboards.annotations.grafana_folder=Mesh",
  "serviceMonitor.enabled=true",
  "serviceMonitor.labels.release=prometheus",
  "uninstall.force=true",
  "controlPlane.checkCallerAddress=true",
  "controlPlane.logLevel=debug",
  "controlPlane.nodeSelector.disk=fast",
  "controlPlane.tolerations[0].operator=Exists",
  "images.registry=registry.example/team",
  "images.pullSecrets[0].name=registry",
  "tracing.endpoint=http://collector:4317",
  "tracing.protocol=grpc",
].flatMap((value) => ["--set", value]);

describe.each([
  ["as it is", []],
  ["for production", ["--values", join(chart, "values-ha.yaml")]],
  ["with every flag", ["--values", join(chart, "values-ha.yaml"), ...everything]],
])("the chart %s", (_, args) => {
  it("is accepted by the API server completely and without a warning", async () => {
    const { code, out, err } = await template(...args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const items = objectsIn(out);
    const list = { apiVersion: "v1", kind: "List", items };
    const applied = await kubectl("apply --server-side --dry-run=server --validate=strict -f -", list);
    expect({ code: applied.code, err: applied.err }).toEqual({ code: 0, err: "" });
    expect(applied.out.trim().split("\n")).toHaveLength(items.length);
  });

  it("conforms to the schemas that the API server publishes", async () => {
    const { out } = await template(...args);
    const valid = objectsIn(out).length;
    expect(await conformityOf(out, definitions)).toMatchObject({
      code: 0,
      summary: { valid, invalid: 0, errors: 0, skipped: 0 },
    });
  });
});

it("would not conform with a field that no schema has, or with a value of another type", async () => {
  const { out } = await template();
  const { code, summary, resources } = await conformityOf(
    out.replace(/^( +)replicas: [0-9]+$/m, '$1replicas: "one"\n$1replica: 1'),
    definitions,
  );
  expect({ code, summary }).toMatchObject({ code: 1, summary: { invalid: 1 } });
  const [{ kind, msg } = { kind: "", msg: "" }] = resources;
  expect(kind).toBe("Deployment");
  expect(msg).toMatch("'/spec/replicas': got string, want integer");
  expect(msg).toMatch("'replica' not allowed");
});

it("brings definitions that conform as well", async () => {
  const { out } = await helm("template", "any-name", join(charts, "tulle-crds"), "--kube-version", "1.34.3");
  const { code, summary } = await conformityOf(out, definitions);
  expect({ code, summary }).toEqual({
    code: 0,
    summary: { valid: policyKinds.length, invalid: 0, errors: 0, skipped: 0 },
  });
});

it("passes helm lint, as do the definitions", async () => {
  for (const name of ["tulle", "tulle-crds"]) {
    const { code, out } = await helm("lint", "--strict", "--namespace", meshNamespace, join(charts, name));
    expect({ code, out }).toMatchObject({ code: 0, out: expect.not.stringMatching(/WARNING|ERROR/) as string });
  }
});

it.each([
  ["an unknown value", "controlPlane.replica=2", "replica"],
  ["no replica", "controlPlane.replicas=0", "replicas"],
  ["an unknown default of injection", "injection.defaults.drain=3", "drain"],
  ["a default that no pod could have", "injection.defaults.upstreams=payments:80", "upstreams"],
  ["a trust domain that is none", "trustDomain=a/b", "trustDomain"],
  ["a receiver of traces that is no URL", "tracing.endpoint=jaeger:4318", "tracing/endpoint"],
  ["a lifetime of no time", "controlPlane.leafLifetime=0s", "leafLifetime"],
])("refuses %s, naming it", async (_, value, named) => {
  const { code, err } = await template("--set", value);
  expect(code).not.toBe(0);
  expect(err).toContain(named);
});

it("brings the dashboards and alert rules unchanged", async () => {
  const objects = objectsIn((await template(...everything)).out);
  const boards = objects.filter(({ metadata }) => metadata.name.endsWith("-dashboard"));
  expect(boards).toHaveLength(dashboards.length);
  for (const { data } of boards)
    for (const text of Object.values(data as Record<string, string>))
      expect(JSON.parse(text)).toMatchObject({ panels: expect.any(Array) as unknown[] });
  const rules = objects.find(({ kind }) => kind === "PrometheusRule");
  const alerts: unknown = parse(readFileSync(join(charts, "../deploy/prometheus/alerts.yaml"), "utf8"));
  expect(rules?.["spec"]).toEqual(alerts);
});

it("lets the uninstall hook pass by force only if that is requested", async () => {
  const checks = async (...args: string[]) =>
    objectsIn((await template(...args)).out).filter(({ metadata }) => metadata.name === "tulle-uninstall-check");
  expect(JSON.stringify(await checks())).not.toContain("--force");
  expect(JSON.stringify(await checks("--set", "uninstall.force=true"))).toContain("--force");
});

it("keeps the definitions, and so the policies, when their release is removed", async () => {
  const policy = {
    apiVersion: "tulle.dev/v1alpha1",
    kind: "TimeoutPolicy",
    metadata: { name: "kept" },
    spec: { request: "1s" },
  };
  expect((await kubectl("apply -f -", policy)).code).toBe(0);
  const release = ["tulle-crds", "--kubeconfig", inject("kubeconfig"), "--namespace", meshNamespace];
  // The suite has put them there already, without Helm.
  const installed = await helm("install", ...release, join(charts, "tulle-crds"), "--take-ownership");
  expect(installed).toMatchObject({ code: 0 });
  const { code, out } = await helm("uninstall", ...release, "--wait");
  expect(code).toBe(0);
  expect(out.match(/\[CustomResourceDefinition\] \w+\.tulle\.dev/g)).toHaveLength(policyKinds.length);
  expect((await kubectl("get crd -l app.kubernetes.io/part-of=tulle -o name")).out.trim().split("\n")).toHaveLength(
    policyKinds.length,
  );
  expect((await kubectl("delete timeoutpolicy kept")).code).toBe(0);
});
