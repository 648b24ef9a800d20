/** RBAC in both directions: the rules of the chart's accounts let them do what they do, and nothing that they have no reason to do. */

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { meshNamespace } from "../../../control-plane/index/facts.ts";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { type AccessRule, accessRules, uninstallRules } from "../../../control-plane/kubernetes/rules.ts";
import { expectDone, nested, testLabels } from "./objects.ts";

const account = "rules-test";
const uninstallAccount = "uninstall-rules-test";
const rbac = "/apis/rbac.authorization.k8s.io/v1";

let api: ClusterApi;

function ruleOf({ group, resources, verbs, names }: AccessRule): object {
  return { apiGroups: [group], resources, verbs, ...(names && { resourceNames: names }) };
}

async function bindAll(account: string, rules: readonly AccessRule[]): Promise<void> {
  const isOwn = ({ ownNamespace }: AccessRule): boolean => ownNamespace === true;
  await bind(
    "ClusterRole",
    account,
    rules.filter((rule) => !isOwn(rule)),
  );
  await bind("Role", account, rules.filter(isOwn));
}

async function bind(kind: "Role" | "ClusterRole", account: string, rules: readonly AccessRule[]): Promise<void> {
  const base = kind === "Role" ? `${rbac}/namespaces/${meshNamespace}` : rbac;
  const metadata = { name: account, labels: testLabels };
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind, name: account };
  const subjects = [{ kind: "ServiceAccount", name: account, namespace: meshNamespace }];
  const plural = kind.toLowerCase();
  for (const [path, body] of [
    [`${base}/${plural}s`, { metadata, rules: rules.map(ruleOf) }],
    [`${base}/${plural}bindings`, { metadata, roleRef, subjects }],
  ] as const) {
    await api.request({ method: "DELETE", path: `${path}/${account}` });
    expectDone(await api.request({ method: "POST", path, body }));
  }
}

interface Question {
  readonly as?: string;
  readonly group?: string;
  readonly resource: string;
  readonly verb: string;
  readonly namespace?: string;
  readonly name?: string;
}

async function mayI({
  as = account,
  group = "",
  resource,
  verb,
  namespace = "shop",
  name,
}: Question): Promise<boolean> {
  const [plain, subresource] = resource.split("/");
  const resourceAttributes = { group, resource: plain, subresource, verb, namespace, name };
  const user = `system:serviceaccount:${meshNamespace}:${as}`;
  const answer = await api.request({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    body: { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec: { user, resourceAttributes } },
  });
  return nested(expectDone(answer).body, "status", "allowed") === true;
}

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  await bindAll(account, accessRules);
  await bindAll(uninstallAccount, uninstallRules);
});
afterAll(() => api.close());

describe.each([
  ["the control plane", account, accessRules],
  ["the uninstall hook", uninstallAccount, uninstallRules],
])("%s may", (_, as, rules) => {
  const cases = rules.flatMap((rule) =>
    rule.resources.map((resource) => [`${rule.verbs.join(", ")} ${resource}`, rule, resource] as const),
  );
  it.each(cases)("%s", async (_, { group, verbs, names, ownNamespace }, resource) => {
    const namespace = ownNamespace ? meshNamespace : "shop";
    for (const verb of verbs)
      expect(await mayI({ as, group, resource, verb, namespace, ...(names && { name: names[0] ?? "" }) })).toBe(true);
  });
});

describe("the control plane may not", () => {
  it.each<[string, Question]>([
    ["read others' secrets", { resource: "secrets", verb: "get", name: "tulle-ca" }],
    [
      "read other secrets of its own namespace",
      { resource: "secrets", verb: "get", namespace: meshNamespace, name: "other" },
    ],
    ["list secrets", { resource: "secrets", verb: "list" }],
    ["delete its signer", { resource: "secrets", verb: "delete", namespace: meshNamespace, name: "tulle-ca" }],
    ["read others' ConfigMaps", { resource: "configmaps", verb: "get", name: "settings" }],
    ["change others' ConfigMaps", { resource: "configmaps", verb: "update", name: "settings" }],
    ["make tokens", { resource: "serviceaccounts/token", verb: "create", name: "orders" }],
    ["run anything", { resource: "pods", verb: "create" }],
    ["end anything", { resource: "pods", verb: "delete" }],
    ["look into a container", { resource: "pods/exec", verb: "create" }],
    ["read logs", { resource: "pods/log", verb: "get" }],
    ["change a Service", { resource: "services", verb: "update" }],
    ["change who is behind one", { group: "discovery.k8s.io", resource: "endpointslices", verb: "update" }],
    ["write policies", { group: "tulle.dev", resource: "accesspolicies", verb: "update" }],
    [
      "change another webhook",
      {
        group: "admissionregistration.k8s.io",
        resource: "validatingwebhookconfigurations",
        verb: "patch",
        name: "other",
      },
    ],
    ["give itself more", { group: "rbac.authorization.k8s.io", resource: "clusterroles", verb: "update" }],
    ["act as others", { resource: "users", verb: "impersonate" }],
    ["see nodes", { resource: "nodes", verb: "list" }],
  ])("%s", async (_, question) => {
    expect(await mayI(question)).toBe(false);
  });
});

describe("the uninstall hook may not", () => {
  it.each<[string, Question]>([
    ["delete others' ConfigMaps", { resource: "configmaps", verb: "delete", name: "settings" }],
    ["read the roots", { resource: "configmaps", verb: "get", name: "tulle-trust-bundle" }],
    ["delete other secrets", { resource: "secrets", verb: "delete", namespace: meshNamespace, name: "other" }],
    ["delete others' secrets", { resource: "secrets", verb: "delete", name: "tulle-ca" }],
    ["end a pod", { resource: "pods", verb: "delete" }],
    ["make anything", { resource: "configmaps", verb: "create" }],
  ])("%s", async (_, question) => {
    expect(await mayI({ ...question, as: uninstallAccount })).toBe(false);
  });
});
