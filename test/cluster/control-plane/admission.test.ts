/** The webhooks as the API server asks them: its own requests, verified by the bundle that the control plane keeps. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { keepCaBundles } from "../../../control-plane/admission/ca-bundle.ts";
import { type AdmissionServer, openAdmissionServer } from "../../../control-plane/admission/server.ts";
import { issueServingCertificate } from "../../../control-plane/admission/serving-certificate.ts";
import { validateHandler } from "../../../control-plane/admission/validate.ts";
import { ClusterIndex } from "../../../control-plane/index/cluster-index.ts";
import { type ApiAnswer, type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { TestAuthority } from "../../support/authority.ts";
import { eventually } from "../../support/eventually.ts";
import { changeOf, serviceYaml } from "../../support/manifests.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { kubectlIn } from "../kubectl.ts";
import { objectsIn, template } from "./chart.ts";

interface Configuration {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly webhooks: readonly { readonly name: string; readonly clientConfig: object }[];
}

const namespace = "admission";
const webhookPath = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const timeouts = `/apis/tulle.dev/v1alpha1/namespaces/${namespace}/timeoutpolicies`;

let api: ClusterApi;
let ca: TestAuthority;
let server: AdmissionServer;
let stopping: AbortController;
/** What the chart configures, injection's too. */
let charted: readonly Configuration[];
const log = new RecordedLog();
const index = new ClusterIndex();
index.apply(changeOf(serviceYaml("checkout").replace("shop", namespace)));

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  const { code, out, err } = await template("--show-only", "templates/webhooks.yaml");
  if (code !== 0) throw new Error(err);
  charted = objectsIn(out) as unknown as readonly Configuration[];
  const labels = { "tulle.dev/admission-test": "yes" };
  await api.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name: namespace, labels } } });
});
afterAll(() => api.close());

beforeEach(async () => {
  ca = await TestAuthority.open();
  stopping = new AbortController();
  server = await openAdmissionServer({
    host: "127.0.0.1",
    port: 0,
    // Without a node the API server reaches no Service: it asks by URL.
    certificate: issueServingCertificate(ca.authority, ["localhost"]),
    handlers: new Map([["/validate", validateHandler(index, async () => {})]]),
    log: log.write,
    onAnswer: () => {},
  });
  await configure("tulle-validation", { failurePolicy: "Fail" });
});
afterEach(async () => {
  stopping.abort();
  await api.request({ method: "DELETE", path: `${webhookPath}/tulle-validation` });
  await server.close();
  await ca[Symbol.asyncDispose]();
});

/** The chart's own, but for this namespace alone, and with what a scenario changes. */
function configuration(name: string, change: object) {
  const { apiVersion, kind, webhooks } = charted.find((one) => one.metadata.name === "tulle-validation") ?? {};
  const clientConfig = { url: `https://localhost:${server.port}/validate` };
  const namespaceSelector = { matchLabels: { "tulle.dev/admission-test": "yes" } };
  const here = webhooks?.map((webhook) => ({ ...webhook, clientConfig, namespaceSelector, ...change }));
  return { apiVersion, kind, metadata: { name }, webhooks: here };
}

async function configure(name: string, change: object): Promise<void> {
  const { status } = await api.request({ method: "POST", path: webhookPath, body: configuration(name, change) });
  expect(status).toBe(201);
}

function keep(bundle = () => ca.authority.trustBundlePem): () => void {
  const options = { api, bundle, random: Math.random, log: log.write, signal: stopping.signal };
  const kept = keepCaBundles(options);
  return () => kept.putRight();
}

async function bundleOf(name: string): Promise<string | undefined> {
  const { body } = await api.request({ path: `${webhookPath}/${name}` });
  const { webhooks } = body as { webhooks: { clientConfig: { caBundle?: string } }[] };
  const encoded = webhooks[0]?.clientConfig.caBundle;
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString();
}

const isKept = () =>
  eventually(async () => (await bundleOf("tulle-validation")) === ca.authority.trustBundlePem, 10_000);

function create(name: string, spec: unknown): Promise<ApiAnswer> {
  const body = { apiVersion: "tulle.dev/v1alpha1", kind: "TimeoutPolicy", metadata: { name }, spec };
  return api.request({ method: "POST", path: timeouts, query: { dryRun: "All" }, body });
}

/** The API server takes a moment to use a configuration that has changed. */
const answersWith = (status: number) =>
  eventually(async () => (await create("probe", { request: "1s" })).status === status, 20_000);

describe("a webhook configuration of ours", () => {
  it("is given the bundle, and then the API server's own requests are answered", async () => {
    await answersWith(500);
    keep();
    await isKept();
    await answersWith(201);
    expect((await create("real", { request: "1s" })).status).toBe(201);
  });

  it("is given it again when somebody takes it away", async () => {
    keep();
    await isKept();
    const patch = [{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }];
    const contentType = "application/json-patch+json";
    const path = `${webhookPath}/tulle-validation`;
    expect((await api.request({ method: "PATCH", path, body: patch, contentType })).status).toBe(200);
    await isKept();
  });

  it("is given another when the roots change, and when it is recreated", async () => {
    let bundle = ca.authority.trustBundlePem;
    const changed = keep(() => bundle);
    await isKept();
    await using other = await TestAuthority.open();
    bundle = `${bundle}${other.authority.trustBundlePem}`;
    changed();
    await eventually(async () => (await bundleOf("tulle-validation")) === bundle, 10_000);
    await api.request({ method: "DELETE", path: `${webhookPath}/tulle-validation` });
    await configure("tulle-validation", { failurePolicy: "Fail" });
    await eventually(async () => (await bundleOf("tulle-validation")) !== undefined, 10_000);
    expect(await bundleOf("tulle-validation")).toBe(bundle);
  });

  it("is the only one that is touched", async () => {
    await configure("somebody-elses", {});
    try {
      keep();
      await isKept();
      expect(await bundleOf("somebody-elses")).toBeUndefined();
    } finally {
      await api.request({ method: "DELETE", path: `${webhookPath}/somebody-elses` });
    }
  });
});

describe("the chart", () => {
  it("sets no caBundle: an upgrade would undo the control plane's", () => {
    expect(charted.map(({ metadata }) => metadata.name)).toEqual(["tulle-injection", "tulle-validation"]);
    for (const { webhooks } of charted)
      for (const { clientConfig } of webhooks) expect(Object.keys(clientConfig)).toEqual(["service"]);
  });

  it("lets policies be written while no control plane answers", async () => {
    const nobody = { clientConfig: { url: "https://localhost:1/validate" } };
    await api.request({ method: "DELETE", path: `${webhookPath}/tulle-validation` });
    await configure("tulle-validation", { ...nobody, failurePolicy: "Fail" });
    await answersWith(500);
    await api.request({ method: "DELETE", path: `${webhookPath}/tulle-validation` });
    await configure("tulle-validation", nobody);
    await expect.poll(async () => (await create("probe", { request: "1s" })).status).toBe(201);
  });
});

describe("whoever writes a policy", () => {
  beforeEach(async () => {
    keep();
    await isKept();
    await answersWith(201);
  });

  it("learns the field, the value and what is allowed, if only the parser knows", async () => {
    const body = {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "RateLimit",
      metadata: { name: "r" },
      spec: { limits: [{ requests: 5, per: "1s", match: [{ path: { type: "RegularExpression", value: "(a" } }] }] },
    };
    const answer = await api.request({ method: "POST", path: timeouts.replace("timeoutpolicies", "ratelimits"), body });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({
      reason: "Invalid",
      message: expect.stringMatching(
        /^admission webhook "policies\.validate\.tulle\.dev" denied the request: spec\./,
      ) as string,
    });
  });

  it("is warned of what is legal but suspicious, by kubectl", async () => {
    const suspicious: [kind: string, spec: object, says: string][] = [
      [
        "TimeoutPolicy",
        { request: "1s", perTry: "2s" },
        "spec.perTry: 2s is never reached: request ends all tries after 1s",
      ],
      ["TrafficSplit", { service: "a", backends: [{ service: "b", weight: 0 }] }, "spec.backends: all weights are 0"],
      ["RetryPolicy", { retryNonIdempotent: true }, "spec.retryNonIdempotent: POST and PATCH may be processed twice"],
      [
        "CircuitBreaker",
        { targetRefs: [{ kind: "Service", name: "chekout" }] },
        `spec.targetRefs[0]: no Service "chekout" in namespace "${namespace}"; did you mean "checkout"?`,
      ],
    ];
    const items = suspicious.map(([kind, spec]) => {
      return { apiVersion: "tulle.dev/v1alpha1", kind, metadata: { name: "w" }, spec };
    });
    const kubectl = kubectlIn(inject("kubeconfig"), namespace);
    const { code, err } = await kubectl("create -f - --dry-run=server", { apiVersion: "v1", kind: "List", items });
    expect(code).toBe(0);
    for (const [, , says] of suspicious) expect(err).toContain(`Warning: ${says}`);
  });
});
