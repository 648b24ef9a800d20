/**
 * Which pods the API server asks the chart's injection webhooks about: each pod once, and no pod that did not ask for the mesh.
 */

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  type AdmissionHandler,
  type AdmissionServer,
  openAdmissionServer,
} from "../../../control-plane/admission/server.ts";
import { issueServingCertificate } from "../../../control-plane/admission/serving-certificate.ts";
import { meshNamespace } from "../../../control-plane/index/facts.ts";
import { type ApiAnswer, type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { TestAuthority } from "../../support/authority.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { objectsIn, type Rendered, template } from "./chart.ts";
import { expectDone, TestNamespace } from "./objects.ts";

const configurations = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const injectLabel = "tulle.dev/inject";
/** Pod Security may be `restricted` where it goes. */
const locked = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

interface Webhook {
  readonly name: string;
  readonly [field: string]: unknown;
}

let api: ClusterApi;
let ca: TestAuthority;
let server: AdmissionServer;
/** The namespaces, by what their label says. */
const namespaces = new Map<string, TestNamespace>();
/** The entries that were asked, in order. */
let asked: string[] = [];

const note =
  (entry: string): AdmissionHandler =>
  () => {
    asked.push(entry);
    return { verdict: "admit", warnings: [] };
  };

/** Another webhook that changes the pod behind ours. */
const addNote: AdmissionHandler = ({ object }) => {
  const { metadata = {} } = object as { metadata?: { annotations?: object } };
  const at = metadata.annotations === undefined ? "/metadata/annotations" : "/metadata/annotations/note";
  const value = metadata.annotations === undefined ? { note: "seen" } : "seen";
  return { verdict: "admit", warnings: [], patch: [{ op: "add", path: at, value }] };
};

async function injectionEntries(...values: string[]): Promise<readonly Webhook[]> {
  const { code, out, err } = await template("--show-only", "templates/webhooks.yaml", ...values);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const [configuration] = objectsIn(out).filter(({ kind }) => kind === "MutatingWebhookConfiguration");
  return (configuration as Rendered & { webhooks: Webhook[] }).webhooks;
}

/** By URL, since without a node the API server reaches no Service. */
async function configure(name: string, webhooks: readonly Webhook[]): Promise<void> {
  const caBundle = Buffer.from(ca.authority.trustBundlePem).toString("base64");
  const body = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name },
    webhooks: webhooks.map((webhook) => ({
      ...webhook,
      clientConfig: { url: `https://localhost:${server.port}/${webhook.name}`, caBundle },
    })),
  };
  await api.request({ method: "DELETE", path: `${configurations}/${name}` });
  expectDone(await api.request({ method: "POST", path: configurations, body }));
}

/** Tried, and not kept. */
function makePod(namespace: string, label?: string): Promise<ApiAnswer> {
  const body = {
    metadata: { generateName: "pod-", ...(label !== undefined && { labels: { [injectLabel]: label } }) },
    spec: { containers: [{ name: "app", image: "none", securityContext: locked }] },
  };
  const path = `/api/v1/namespaces/${namespace}/pods`;
  return api.request({ method: "POST", path, query: { dryRun: "All" }, body });
}

async function askedOf(namespace: string, label?: string): Promise<readonly string[]> {
  asked = [];
  expectDone(await makePod(namespace, label));
  return asked;
}

function nameOf(label: string): string {
  const namespace = namespaces.get(label);
  if (namespace === undefined) throw new Error(`no namespace ${label}`);
  return namespace.name;
}

/** The API server takes a moment to use a configuration that has changed. */
const isUsed = (...entries: string[]) =>
  eventually(async () => {
    asked = [];
    const { status } = await makePod(nameOf("enabled"));
    return status === 201 && asked.join() === entries.join();
  }, 20_000);

async function labelNamespace(name: string, value: string | null): Promise<void> {
  const body = { metadata: { labels: { [injectLabel]: value } } };
  const contentType = "application/merge-patch+json";
  expectDone(await api.request({ method: "PATCH", path: `/api/v1/namespaces/${name}`, contentType, body }));
}

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  ca = await TestAuthority.open();
  server = await openAdmissionServer({
    host: "127.0.0.1",
    port: 0,
    certificate: issueServingCertificate(ca.authority, ["localhost"]),
    handlers: new Map([
      ...["namespace", "pod"].map((entry) => [`/${entry}.inject.tulle.dev`, note(entry)] as const),
      ["/other.example.com", addNote],
    ]),
    log: new RecordedLog().write,
    onAnswer: () => {},
  });
  for (const label of ["", "enabled", "disabled"]) {
    const labels = label === "" ? {} : { [injectLabel]: label };
    namespaces.set(label, await TestNamespace.create(api, "injection", labels));
  }
  // The controller that gives each namespace its service account.
  for (const { name } of namespaces.values())
    await eventually(async () => (await makePod(name)).status === 201, 20_000);
  await configure("tulle-injection", await injectionEntries());
  await isUsed("namespace");
});

afterAll(async () => {
  for (const name of ["tulle-injection", "zz-other"])
    await api.request({ method: "DELETE", path: `${configurations}/${name}` });
  for (const namespace of namespaces.values()) await namespace.remove();
  await ca[Symbol.asyncDispose]();
  api.close();
});

describe("the entries of the chart", () => {
  it.each([
    ["enabled", undefined, ["namespace"]],
    ["enabled", "enabled", ["namespace"]],
    ["enabled", "disabled", []],
    ["", undefined, []],
    ["", "enabled", ["pod"]],
    ["", "disabled", []],
    ["disabled", undefined, []],
    ["disabled", "enabled", ["pod"]],
    ["disabled", "disabled", []],
  ])("in a namespace that says %j, of a pod that says %j, are asked: %j", async (namespace, pod, entries) => {
    expect(await askedOf(nameOf(namespace), pod)).toEqual(entries);
  });

  it("are asked about no pod of the cluster's own namespaces and of the mesh's, whatever they say", async () => {
    const labelled = ["kube-system", meshNamespace, nameOf("")];
    for (const namespace of labelled) await labelNamespace(namespace, "enabled");
    // Namespaces come to the API server's own notice in order: when it has seen the last, it has seen all.
    await eventually(async () => (await askedOf(nameOf(""))).length === 1, 20_000);
    expect(await askedOf("kube-system", "enabled")).toEqual([]);
    expect(await askedOf(meshNamespace, "enabled")).toEqual([]);
    for (const namespace of labelled) await labelNamespace(namespace, null);
    await eventually(async () => (await askedOf(nameOf(""))).length === 0, 20_000);
  });

  it("are asked again about a pod that another webhook has changed since", async () => {
    const rules = [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }];
    const common = { admissionReviewVersions: ["v1"], sideEffects: "None", failurePolicy: "Fail", rules };
    const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": nameOf("enabled") } };
    await configure("zz-other", [{ name: "other.example.com", ...common, namespaceSelector }]);
    await isUsed("namespace", "namespace");
    expect(await askedOf(nameOf("enabled"))).toEqual(["namespace", "namespace"]);
    expectDone(await api.request({ method: "DELETE", path: `${configurations}/zz-other` }));
    await isUsed("namespace");
  });
});

describe("while the control plane is away", () => {
  beforeAll(() => server.close());

  it("no pod is made that asked for a sidecar, and every other is", async () => {
    const refused = await makePod(nameOf("enabled"));
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([500, expect.stringContaining("inject.tulle.dev")]);
    expect((await makePod(nameOf(""), "enabled")).status).toBe(500);
    const free = [makePod(nameOf("")), makePod(nameOf("disabled")), makePod(nameOf("enabled"), "disabled")];
    expect(
      (await Promise.all([...free, makePod("kube-system"), makePod(meshNamespace)])).map(({ status }) => status),
    ).toEqual([201, 201, 201, 201, 201]);
  });

  it("pods are made without one where the chart was told to ignore it", async () => {
    await configure("tulle-injection", await injectionEntries("--set", "injection.failurePolicy=Ignore"));
    await expect.poll(async () => (await makePod(nameOf("enabled"))).status).toBe(201);
  });
});
