/** The webhooks as the API server asks them: its own requests, verified by the bundle that the control plane keeps. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { keepCaBundles } from "../../../control-plane/admission/ca-bundle.ts";
import { type AdmissionServer, openAdmissionServer } from "../../../control-plane/admission/server.ts";
import { issueServingCertificate } from "../../../control-plane/admission/serving-certificate.ts";
import { validate } from "../../../control-plane/admission/validate.ts";
import { type ApiAnswer, type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { TestAuthority } from "../../support/authority.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { kubectlIn } from "../kubectl.ts";

const namespace = "admission";
const webhookPath = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const timeouts = `/apis/tulle.dev/v1alpha1/namespaces/${namespace}/timeoutpolicies`;

let api: ClusterApi;
let ca: TestAuthority;
let server: AdmissionServer;
let stopping: AbortController;
const log = new RecordedLog();

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
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
    handlers: new Map([["/validate", validate]]),
    log: log.write,
    onAnswer: () => {},
  });
  await configure("tulle-validation", "Fail");
});
afterEach(async () => {
  stopping.abort();
  await api.request({ method: "DELETE", path: `${webhookPath}/tulle-validation` });
  await server.close();
  await ca[Symbol.asyncDispose]();
});

function configuration(name: string, failurePolicy: "Fail" | "Ignore") {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name },
    webhooks: [
      {
        name: "policies.validate.tulle.dev",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy,
        clientConfig: { url: `https://localhost:${server.port}/validate` },
        namespaceSelector: { matchLabels: { "tulle.dev/admission-test": "yes" } },
        rules: [{ apiGroups: ["tulle.dev"], apiVersions: ["*"], resources: ["*"], operations: ["CREATE", "UPDATE"] }],
      },
    ],
  };
}

async function configure(name: string, failurePolicy: "Fail" | "Ignore"): Promise<void> {
  const { status } = await api.request({ method: "POST", path: webhookPath, body: configuration(name, failurePolicy) });
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

  it("is given another when the roots change, and when it is made anew", async () => {
    let bundle = ca.authority.trustBundlePem;
    const changed = keep(() => bundle);
    await isKept();
    await using other = await TestAuthority.open();
    bundle = `${bundle}${other.authority.trustBundlePem}`;
    changed();
    await eventually(async () => (await bundleOf("tulle-validation")) === bundle, 10_000);
    await api.request({ method: "DELETE", path: `${webhookPath}/tulle-validation` });
    await configure("tulle-validation", "Fail");
    await eventually(async () => (await bundleOf("tulle-validation")) !== undefined, 10_000);
    expect(await bundleOf("tulle-validation")).toBe(bundle);
  });

  it("is the only one that is touched", async () => {
    await configure("somebody-elses", "Ignore");
    try {
      keep();
      await isKept();
      expect(await bundleOf("somebody-elses")).toBeUndefined();
    } finally {
      await api.request({ method: "DELETE", path: `${webhookPath}/somebody-elses` });
    }
  });
});

describe("whoever writes a policy", () => {
  beforeEach(async () => {
    keep();
    await isKept();
    await answersWith(201);
  });

  it("is told the field, the value and what is allowed, where only the parser knows", async () => {
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
    const { err } = await kubectlIn(inject("kubeconfig"), namespace)("create -f - --dry-run=server", {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "TimeoutPolicy",
      metadata: { name: "w" },
      spec: { request: "1s", perTry: "2s" },
    });
    expect(err).toContain("Warning: spec.perTry: 2s is never reached: request ends all tries after 1s");
  });
});
