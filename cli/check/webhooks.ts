/**
 * Are the webhooks there, do they have the right certificate, and does one answer? The last is tested by creating a pod as
 * a dry run, which the API server carries out except for storing it.
 */

import { X509Certificate } from "node:crypto";
import { injectLabel, webhookSuffix } from "../../control-plane/injection/marks.ts";
import { describeAnswer } from "../../control-plane/kubernetes/cluster-api.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type Fields, listAt, readMeta, textAt } from "../cluster/fields.ts";
import { hasSidecar } from "../sidecars/find-sidecars.ts";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";

const group = "/apis/admissionregistration.k8s.io/v1";
const injection = { path: `${group}/mutatingwebhookconfigurations/tulle-injection`, what: "injection" } as const;
const validation = { path: `${group}/validatingwebhookconfigurations/tulle-validation`, what: "validation" } as const;
/** Advice if the API server gets no answer from the webhook. */
export const askedInVain = "is the control plane ready? May the API server reach its port 9443?";
const reinstall = "helm upgrade --install tulle charts/tulle -n tulle-system --create-namespace";

export const webhooks: Check = {
  name: "webhooks",
  async run({ cluster, nowMs, namespaces }) {
    const [injecting, validating] = await Promise.all(
      [injection, validation].map(({ path }) => cluster.request({ path })),
    );
    const findings: Finding[] = [];
    if (injecting?.status === 200) findings.push(...bundleOf(injecting.body, injection.what, nowMs));
    else findings.push(fail("no MutatingWebhookConfiguration tulle-injection: no pod gets a sidecar", reinstall));
    if (validating?.status === 200) findings.push(...bundleOf(validating.body, validation.what, nowMs));
    else findings.push(warn("no validation: what is wrong in a policy, only its status will say"));
    if (injecting?.status === 200) findings.push(await tryInjection(cluster, await namespaces()));
    return findings;
  },
};

/** The roots that the API server trusts; undefined: none are configured, or none can be read. */
export async function webhookRoots(cluster: Cluster): Promise<string | undefined> {
  const { status, body } = await cluster.request({ path: injection.path });
  const bundle = textAt(listAt(body, "webhooks")[0], "clientConfig", "caBundle");
  return status === 200 && bundle ? Buffer.from(bundle, "base64").toString("utf8") : undefined;
}

function bundleOf(configuration: unknown, what: string, nowMs: number): Finding[] {
  const bundles = listAt(configuration, "webhooks").map((webhook) => textAt(webhook, "clientConfig", "caBundle") ?? "");
  const logs = "the control plane fills it in: look at its log";
  if (bundles.length === 0) return [fail(`${what} has no webhook`, reinstall)];
  if (bundles.includes("")) return [fail(`${what} has no caBundle: the API server can't trust it`, logs)];
  try {
    for (const bundle of bundles) {
      const { validToDate } = new X509Certificate(Buffer.from(bundle, "base64"));
      if (validToDate.getTime() <= nowMs)
        return [fail(`the caBundle of ${what} is over since ${validToDate.toISOString()}`, logs)];
    }
  } catch {
    return [fail(`the caBundle of ${what} holds no certificate`, logs)];
  }
  return [];
}

/** Tries it in a namespace of the mesh, or else with the label on the pod. */
async function tryInjection(cluster: Cluster, namespaces: readonly Fields[]): Promise<Finding> {
  const meshed = namespaces.map(readMeta).find(({ labels }) => labels[injectLabel] === "enabled");
  const namespace = meshed?.name ?? "default";
  const answer = await cluster.request({
    method: "POST",
    path: `/api/v1/namespaces/${namespace}/pods`,
    query: { dryRun: "All" },
    body: {
      metadata: { generateName: "tulle-check-", labels: { [injectLabel]: "enabled" } },
      spec: { serviceAccountName: "default", containers: [{ name: "check", image: "check" }] },
    },
    timeoutMs: 30_000,
  });
  const { status, body } = answer;
  if (status < 300 && hasSidecar(body as Fields)) return ok(`a pod in ${namespace} gets its sidecar (dry run)`);
  if (status < 300)
    return fail(`a pod in ${namespace} gets no sidecar (dry run)`, "kubectl get mutatingwebhookconfigurations");
  const message = describeAnswer(answer);
  if (message.includes(webhookSuffix)) return fail(`no pod can be made: ${message}`, askedInVain);
  // Not a fault: the user lacks the permission, or something else guards that namespace.
  return warn(`not tried in ${namespace}: ${message}`);
}
