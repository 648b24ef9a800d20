/** The `tulle` command against a real API server: what it finds wrong, and that its own remedies fix it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { askedOf, meshChecks, preChecks, runChecks } from "../../../cli/check/command.ts";
import { podsNotMade } from "../../../cli/check/pods-not-made.ts";
import type { Section } from "../../../cli/check/this-machine.ts";
import type { Explanation } from "../../../cli/explain/explanation.ts";
import { openMesh } from "../../../cli/mesh-client.ts";
import { type AdmissionServer, openAdmissionServer } from "../../../control-plane/admission/server.ts";
import { issueServingCertificate } from "../../../control-plane/admission/serving-certificate.ts";
import { meshNamespace } from "../../../control-plane/index/facts.ts";
import { defaultInjectionConfig } from "../../../control-plane/injection/config.ts";
import { injectHandler } from "../../../control-plane/injection/webhook.ts";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { TestAuthority } from "../../support/authority.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { type Kubectl, kubectlIn } from "../kubectl.ts";
import { expectDone, TestNamespace } from "./objects.ts";

const main = join(import.meta.dirname, "../../../cli/main.ts");
const webhooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

let api: ClusterApi;
let shop: TestNamespace;
let kubectl: Kubectl;

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  shop = await TestNamespace.create(api, "cli", { "tulle.dev/inject": "enabled" });
  kubectl = kubectlIn(inject("kubeconfig"), shop.name);
  await shop.service("web");
  await shop.pod("web-1", "web", { ip: "10.1.0.1" });
  await shop.service("catalog", { ports: [{ name: "http", port: 80, targetPort: 8080, appProtocol: "http" }] });
  await shop.pod("catalog-1", "catalog", { ip: "10.1.0.2" });
  await shop.create("tulle.dev/v1alpha1", "timeoutpolicies", {
    apiVersion: "tulle.dev/v1alpha1",
    kind: "TimeoutPolicy",
    metadata: { name: "catalog" },
    spec: { targetRefs: [{ kind: "Service", name: "catalog" }], request: "3s" },
  });
});
afterAll(async () => {
  await shop.remove();
  api.close();
});

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function tulle(...args: string[]): Promise<Outcome> {
  const { TULLE_URL: _, ...env } = process.env;
  const child = spawn(process.execPath, [main, ...args, "--kubeconfig", inject("kubeconfig")], {
    env,
    timeout: 40_000,
  });
  const closed = once(child, "close") as Promise<[number | null]>;
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, out, err };
}

/** Without a process of its own: as `tulle check` has them. */
async function findings(checks = meshChecks): Promise<ReadonlyMap<string, Section["findings"]>> {
  const mesh = await openMesh({ kubeconfig: inject("kubeconfig"), meshNamespace }, {});
  try {
    if (mesh.cluster === undefined) throw new Error("no cluster");
    const sections = await runChecks(checks, askedOf(mesh.cluster, mesh));
    return new Map(sections.map(({ check, findings: found }) => [check, found]));
  } finally {
    mesh.close();
  }
}

const policy = (spec: object) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "web" },
  spec: { podSelector: { matchLabels: { app: "web" } }, ...spec },
});

it("finds a cluster fit for the mesh before there is one", async () => {
  const found = await findings(preChecks);
  expect(found.get("Kubernetes version")).toMatchObject([{ verdict: "ok" }]);
  expect(found.get("rights to install")).toEqual([{ verdict: "ok", says: "you may create all that the charts hold" }]);
});

it("says what fails if there is no control plane, and exits with 1", async () => {
  const { code, out, err } = await tulle("check");
  expect([code, err]).toEqual([1, ""]);
  expect(out).toContain("no Deployment tulle-control-plane in namespace tulle-system");
  expect(out).toContain("no MutatingWebhookConfiguration tulle-injection: no pod gets a sidecar");
  expect(out).toMatch(/\n\d+ failed, \d+ warnings?\n$/);
});

it("names a pod that asks for a sidecar and has none", async () => {
  await shop.pod("bare-1", "bare", { meshed: false, ip: "10.1.0.3" });
  const found = (await findings()).get("pods without a sidecar") ?? [];
  expect(found[0]?.verdict).toBe("fail");
  expect(found[0]?.says).toContain(`${shop.name}/bare-1`);
  await shop.delete("v1", "pods/bare-1");
});

it("finds a NetworkPolicy that cuts meshed pods off, and prints a patch that fixes it", async () => {
  const ingress = [{ from: [{ podSelector: {} }], ports: [{ port: 8080, protocol: "TCP" }] }];
  await shop.create("networking.k8s.io/v1", "networkpolicies", policy({ ingress, policyTypes: ["Ingress"] }));
  const own = async () =>
    ((await findings()).get("network policies") ?? []).filter(({ says }) => says.startsWith(`${shop.name}/`));
  const [found, ...others] = await own();
  expect(others).toEqual([]);
  expect(found).toMatchObject({
    verdict: "fail",
    says: `${shop.name}/web: ingress rule 1 does not admit TCP 15008, for 1 meshed pod`,
  });
  const [, patch = ""] = /-p '(.*)'$/.exec(found?.fix ?? "") ?? [];
  expect(await kubectl(`patch networkpolicy web --type json -p ${patch}`)).toMatchObject({ code: 0 });
  expect(await own()).toEqual([]);
});

it("names the ports whose protocol is guessed", async () => {
  const said = async () => ((await findings()).get("protocols") ?? []).map(({ says }) => says).join("\n");
  const raw = `raw.${shop.name}.svc.cluster.local:81`;
  expect(await said()).not.toContain(raw);
  await shop.service("raw", { selector: { app: "web" }, ports: [{ name: "web", port: 81, targetPort: 8080 }] });
  await expect.poll(said).toContain(raw);
  await shop.delete("v1", "services/raw");
});

/** The API server asks a webhook of this machine. */
describe.skipIf(inject("tokenKeyFile") === "")("of injection", () => {
  let ca: TestAuthority;
  let server: AdmissionServer;

  beforeEach(async () => {
    ca = await TestAuthority.open();
    server = await openWebhook(ca);
    const configuration = webhookOf(server.port, ca.authority.trustBundlePem);
    expectDone(await api.request({ method: "POST", path: webhooks, body: configuration }));
  });
  afterEach(async () => {
    await api.request({ method: "DELETE", path: `${webhooks}/tulle-injection` });
    await server.close();
    await ca[Symbol.asyncDispose]();
  });

  it("reports what the API server itself answers", async () => {
    const well = (await findings()).get("webhooks") ?? [];
    expect(well).toContainEqual({ verdict: "ok", says: `a pod in ${shop.name} gets its sidecar (dry run)` });
    await server.close();
    const broken = (await findings()).get("webhooks") ?? [];
    expect(broken.find(({ verdict }) => verdict === "fail")?.says).toMatch(/^no pod can be made: .*inject\.tulle\.dev/);
  });

  it("names workloads that get no pods, with what is refused in them, until that is changed", async () => {
    const agent = (hostNetwork: boolean) => ({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "agent" },
      spec: {
        selector: { matchLabels: { app: "agent" } },
        template: {
          metadata: { labels: { app: "agent" } },
          spec: { hostNetwork, containers: [{ name: "agent", image: "none" }] },
        },
      },
    });
    const said = async () => (await findings([podsNotMade])).get("pods not made");
    expect(await said()).toEqual([]);
    await shop.create("apps/v1", "replicasets", agent(true));
    await expect.poll(said).toMatchObject([
      {
        verdict: "fail",
        says: expect.stringMatching(
          new RegExp(`^ReplicaSet ${shop.name}/agent gets no pods: spec\\.hostNetwork: must be false`),
        ) as string,
      },
    ]);
    await shop.patch("apps/v1", "replicasets/agent", agent(false));
    await expect.poll(said).toEqual([]);
    await shop.delete("apps/v1", "replicasets/agent");
  });
});

function openWebhook(ca: TestAuthority): Promise<AdmissionServer> {
  return openAdmissionServer({
    host: "127.0.0.1",
    port: 0,
    certificate: issueServingCertificate(ca.authority, ["localhost"]),
    handlers: new Map([["/inject", injectHandler(defaultInjectionConfig)]]),
    log: new RecordedLog().write,
    onAnswer: () => {},
  });
}

/** By URL, since without a node the API server reaches no Service; and for this namespace alone. */
function webhookOf(port: number, ca: string) {
  const url = `https://localhost:${port}/inject`;
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "tulle-injection" },
    webhooks: [
      {
        name: "namespace.inject.tulle.dev",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        timeoutSeconds: 5,
        clientConfig: { url, caBundle: Buffer.from(ca).toString("base64") },
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": shop.name } },
        rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }],
      },
    ],
  };
}

it("explains a request by what is in the cluster", async () => {
  const url = `http://catalog.${shop.name}/items`;
  const { code, out, err } = await tulle("explain", "GET", url, "--from", `${shop.name}/web`, "-o", "json");
  expect([code, err]).toEqual([0, ""]);
  const told = JSON.parse(out) as Explanation;
  expect(told.policies).toEqual({ TimeoutPolicy: `${shop.name}/catalog` });
  expect(told.callerIdentity).toBe(`spiffe://cluster.local/ns/${shop.name}/sa/web`);
  expect(told.backends).toMatchObject([{ service: `${shop.name}/catalog`, endpoints: { ready: 1, outsideMesh: 0 } }]);
});

it("shows what a change would do to the cluster, and changes nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tulle-diff-"));
  const file = join(folder, "timeout.yaml");
  const request = (duration: string) =>
    writeFileSync(
      file,
      `apiVersion: tulle.dev/v1alpha1
kind: TimeoutPolicy
metadata: { name: catalog, namespace: ${shop.name} }
spec: { targetRefs: [{ kind: Service, name: catalog }], request: ${duration} }
`,
    );
  const unknown = "tulle: which workloads hold what differs is not known: no control plane in namespace tulle-system";
  try {
    request("3s");
    const same = await tulle("diff", "-f", file);
    expect([same.code, same.out]).toEqual([0, "no difference\n"]);
    expect(same.err).toContain(unknown);
    request("4s");
    const changed = await tulle("diff", "-f", file);
    expect([changed.code, changed.out]).toEqual([
      1,
      `~ destination catalog.${shop.name}.svc.cluster.local:80\n    routes[default].timeout.requestMs: 3000 → 4000\n`,
    ]);
    request("soon");
    const wrong = await tulle("diff", "-f", file);
    expect(wrong.err).toContain(`${file}:4 spec.request: `);
    expect((await kubectl("get timeoutpolicy catalog -o jsonpath={.spec.request}")).out).toBe("3s");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("says in one line that no control plane can be reached", async () => {
  const context = (await kubectl("config current-context")).out.trim();
  const nobody = `no control plane in namespace tulle-system of ${context}; --mesh-namespace says where`;
  expect(await tulle("status")).toEqual({ code: 2, out: "", err: `tulle: ${nobody}\n` });
  await expect(openMesh({ kubeconfig: inject("kubeconfig"), context: "other", meshNamespace }, {})).rejects.toThrow(
    `no context other; there are ${context}`,
  );
});
