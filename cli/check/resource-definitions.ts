/** The kinds that the mesh brings, and those of Gateway API, which it reads if they exist. */

import { policyKinds } from "../../model/parse/policy.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { listAt, textAt } from "../cluster/fields.ts";
import { type Check, type Finding, fail, named, ok, warn } from "./finding.ts";

export const ownKinds: Check = {
  name: "kinds of tulle.dev",
  async run({ cluster }) {
    const served = await kindsServed(cluster, "tulle.dev/v1alpha1");
    const lacking = policyKinds.filter((kind) => !served.has(kind));
    if (lacking.length === 0)
      return [ok(`${policyKinds.length} kinds, v1alpha1`), ...(await namesakes(cluster, "split.smi-spec.io"))];
    const install = "helm upgrade --install tulle-crds charts/tulle-crds";
    if (served.size === 0) return [fail("none is there", install)];
    return [fail(`${named(lacking)} are not there: the definitions are of another version`, install)];
  },
};

/** For `kubectl get trafficsplits` there is but one group, by the alphabet; SMI's comes from Linkerd. */
async function namesakes(cluster: Cluster, group: string): Promise<Finding[]> {
  const { status } = await cluster.request({ path: `/apis/${group}` });
  if (status !== 200) return [];
  const fix = `say trafficsplits.tulle.dev; once nobody needs the other: kubectl delete crd trafficsplits.${group}`;
  return [warn(`kubectl takes trafficsplits for those of ${group}`, fix)];
}

/** Before there is a mesh, nothing needs to exist; but what exists must not be someone else's. */
export const ownKindsBefore: Check = {
  name: "kinds of tulle.dev",
  async run({ cluster }) {
    const served = await kindsServed(cluster, "tulle.dev/v1alpha1");
    if (served.size === 0) return [ok("not there yet: helm install tulle-crds charts/tulle-crds")];
    const foreign = [...served].filter((kind) => !policyKinds.some((known) => known === kind));
    if (foreign.length === 0) return [ok("there from an earlier installation")];
    return [warn(`${named(foreign)} are none of this version's`, "look whose they are before you go on")];
  },
};

const routes = ["HTTPRoute", "GRPCRoute"];

export const gatewayKinds: Check = {
  name: "Gateway API",
  async run({ cluster }) {
    const served = await kindsServed(cluster, "gateway.networking.k8s.io/v1");
    const lacking = routes.filter((kind) => !served.has(kind));
    if (lacking.length === 0) return [ok(`${routes.join(" and ")}, v1`)];
    return [
      warn(`no ${lacking.join(" and no ")}: TrafficSplit works without`, "https://gateway-api.sigs.k8s.io/guides/"),
    ];
  },
};

async function kindsServed(cluster: Cluster, groupVersion: string): Promise<ReadonlySet<string>> {
  const { status, body } = await cluster.request({ path: `/apis/${groupVersion}` });
  const resources = status === 200 ? listAt(body, "resources") : [];
  const whole = resources.filter((resource) => !(textAt(resource, "name") ?? "").includes("/"));
  return new Set(whole.flatMap((resource) => textAt(resource, "kind") ?? []));
}
