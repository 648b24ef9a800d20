/**
 * What the control plane may do in a cluster, and nothing else: the chart's ClusterRole is these rules, and a test asks the
 * API server about each. Whoever needs another verb adds it here, with the reason.
 */

import { policyKinds } from "../../model/parse/policy.ts";
import { pluralOf } from "../../model/policy-object.ts";

export interface AccessRule {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly ("get" | "list" | "watch" | "create" | "update" | "patch" | "delete")[];
  /** Only objects of these names. `create` can't be held to names. */
  readonly names?: readonly string[];
  /** Only in the mesh's own namespace; absent: everywhere. */
  readonly ownNamespace?: true;
  readonly why: string;
}

const watched = ["get", "list", "watch"] as const;

export const accessRules: readonly AccessRule[] = [
  {
    group: "",
    resources: ["namespaces", "services", "pods"],
    verbs: watched,
    why: "what there is to reach, who is in the mesh, and whose token it is",
  },
  {
    group: "discovery.k8s.io",
    resources: ["endpointslices"],
    verbs: watched,
    why: "who is behind a Service",
  },
  {
    group: "gateway.networking.k8s.io",
    resources: ["httproutes", "grpcroutes", "referencegrants"],
    verbs: watched,
    why: "routes, and the consent to lead to other namespaces",
  },
  { group: "tulle.dev", resources: policyKinds.map(pluralOf), verbs: watched, why: "the mesh's own policies" },
  {
    group: "authentication.k8s.io",
    resources: ["tokenreviews"],
    verbs: ["create"],
    why: "whose token a sidecar presents",
  },
  {
    group: "",
    resources: ["configmaps"],
    verbs: ["get", "list", "watch", "update", "delete"],
    names: ["tulle-trust-bundle"],
    why: "the roots that sidecars trust, in each meshed namespace",
  },
  {
    group: "",
    resources: ["configmaps"],
    verbs: ["create"],
    why: "the same; RBAC can't hold a create to a name",
  },
  {
    group: "",
    resources: ["secrets"],
    verbs: ["get", "list", "watch", "update"],
    names: ["tulle-ca"],
    ownNamespace: true,
    why: "the key and certificate of the mesh's root",
  },
  {
    group: "",
    resources: ["secrets"],
    verbs: ["create"],
    ownNamespace: true,
    why: "the first start makes the root; RBAC can't hold a create to a name",
  },
];
