/**
 * Names the Services that a policy refers to and that don't exist: legal, since objects may be applied in any order, but often a
 * typo. Anybody may ask the webhook, so an answer says no more than the cluster's DNS would, but for the one name that was
 * nearly spelt right.
 */

import { suggest } from "../../model/parse/suggest.ts";
import type { Policy } from "../../model/policy-object.ts";
import type { FieldError } from "../../model/result.ts";
import type { ClusterIndex } from "../index/cluster-index.ts";
import { attachmentsOf } from "../index/policy-table.ts";
import { referencesOf } from "../status/references.ts";

/** For one policy, which may name hundreds of Services: comparing more names would hold up the other webhooks. */
const maxCompared = 500;

export function missingServices(index: ClusterIndex, policy: Policy): FieldError[] {
  let compared = 0;
  return servicesIn(policy).flatMap(({ path, namespace, name }) => {
    if (index.service(namespace, name) !== undefined) return [];
    const others = index.servicesIn(namespace);
    compared += others.length;
    const nearest = compared > maxCompared ? undefined : suggest(name, others.map(nameOf));
    const asked = nearest === undefined ? "" : `; did you mean ${JSON.stringify(nearest)}?`;
    return [{ path, message: `no Service ${JSON.stringify(name)} in namespace ${JSON.stringify(namespace)}${asked}` }];
  });
}

interface NamedService {
  readonly path: string;
  readonly namespace: string;
  readonly name: string;
}

function servicesIn(policy: Policy): NamedService[] {
  const targets = attachmentsOf(policy).flatMap(({ path, namespace, target }) =>
    target?.kind === "Service" ? [{ path, namespace, name: target.name }] : [],
  );
  if (policy.kind !== "TrafficSplit") return targets;
  const backends = referencesOf(policy).map(([path, { namespace = policy.namespace, service }]) => ({
    path: `${path}.service`,
    namespace,
    name: service,
  }));
  return [...targets, ...backends];
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}
