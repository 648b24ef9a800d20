/** Which kinds the control plane follows in a cluster, and what it means if one is absent. */

import { policyKinds } from "../../../model/parse/policy.ts";
import { pluralOf } from "../../../model/policy-object.ts";

export interface WatchedKind {
  readonly group: string;
  /** In order of preference; if the server does not serve one, the next is tried. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly plural: string;
  /**
   * What it means that the API server has none:
   * `never`: it has some of its own, so it has not found its data yet;
   * `unlikely`: all were deleted while nobody looked, or it is telling the wrong thing: believed after a while;
   * `uninstalled`: the same, and even the kind may be missing.
   */
  readonly empty: "never" | "unlikely" | "uninstalled";
  /** The control plane writes its status, and sees each write in its own watch. */
  readonly ownStatus?: true;
}

const gateway = { group: "gateway.networking.k8s.io", empty: "uninstalled" } as const;

export const watchedKinds: readonly WatchedKind[] = [
  { group: "", versions: ["v1"], kind: "Namespace", plural: "namespaces", empty: "never" },
  { group: "", versions: ["v1"], kind: "Service", plural: "services", empty: "never" },
  { group: "", versions: ["v1"], kind: "Pod", plural: "pods", empty: "unlikely" },
  {
    group: "discovery.k8s.io",
    versions: ["v1"],
    kind: "EndpointSlice",
    plural: "endpointslices",
    empty: "never",
  },
  ...policyKinds.map(
    (kind): WatchedKind => ({
      group: "tulle.dev",
      versions: ["v1alpha1"],
      kind,
      plural: pluralOf(kind),
      empty: "uninstalled",
      ownStatus: true,
    }),
  ),
  { ...gateway, versions: ["v1"], kind: "HTTPRoute", plural: "httproutes", ownStatus: true },
  { ...gateway, versions: ["v1"], kind: "GRPCRoute", plural: "grpcroutes", ownStatus: true },
  { ...gateway, versions: ["v1", "v1beta1"], kind: "ReferenceGrant", plural: "referencegrants" },
];

/** `/api/v1/pods`, `/apis/tulle.dev/v1alpha1/namespaces/shop/retrypolicies`; without a namespace, the path for all of them. */
export function pathOf({ group, plural }: WatchedKind, version: string, namespace?: string): string {
  const base = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespace === undefined ? `${base}/${plural}` : `${base}/namespaces/${namespace}/${plural}`;
}
