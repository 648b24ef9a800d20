/**
 * What the control plane and the chart's hooks may do in a cluster, and nothing else: the chart's roles are these rules, and a
 * test asks the API server about each. To need another verb means to add it here, with the reason.
 */

import { policyKinds } from "../../model/parse/policy.ts";
import { pluralOf } from "../../model/policy-object.ts";

export interface AccessRule {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly ("get" | "list" | "watch" | "create" | "update" | "patch" | "delete")[];
  /** Only objects of these names. `create` can't be limited to names. */
  readonly names?: readonly string[];
  /** Only in the mesh's own namespace; absent: everywhere. */
  readonly ownNamespace?: true;
  readonly why: string;
}

const watched = ["get", "list", "watch"] as const;

/** The permissions of the control plane itself. */
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
    group: "tulle.dev",
    resources: policyKinds.map((kind) => `${pluralOf(kind)}/status`),
    verbs: ["patch"],
    why: "what became of each policy",
  },
  {
    group: "gateway.networking.k8s.io",
    resources: ["httproutes/status", "grpcroutes/status"],
    verbs: ["patch"],
    why: "what became of each route of a Service",
  },
  {
    group: "events.k8s.io",
    resources: ["events"],
    verbs: ["create"],
    why: "what a policy's author must see once",
  },
  {
    group: "coordination.k8s.io",
    resources: ["leases"],
    verbs: ["get", "patch"],
    names: ["tulle-status-writer"],
    ownNamespace: true,
    why: "which replica writes statuses",
  },
  {
    group: "coordination.k8s.io",
    resources: ["leases"],
    verbs: ["create"],
    ownNamespace: true,
    why: "the first start makes the lease; RBAC can't hold a create to a name",
  },
  {
    group: "admissionregistration.k8s.io",
    resources: ["mutatingwebhookconfigurations"],
    verbs: ["list", "watch", "patch"],
    names: ["tulle-injection"],
    why: "the caBundle by which the API server knows this webhook",
  },
  {
    group: "admissionregistration.k8s.io",
    resources: ["validatingwebhookconfigurations"],
    verbs: ["list", "watch", "patch"],
    names: ["tulle-validation"],
    why: "the same for the other webhook",
  },
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

/** The permissions of the hooks before and after `helm uninstall`; they exist only while these run. */
export const uninstallRules: readonly AccessRule[] = [
  {
    group: "",
    resources: ["pods"],
    verbs: ["list"],
    why: "who has a sidecar, and whether the control plane has ended",
  },
  {
    group: "",
    resources: ["configmaps"],
    verbs: ["list", "delete"],
    names: ["tulle-trust-bundle"],
    why: "the roots in each meshed namespace",
  },
  {
    group: "coordination.k8s.io",
    resources: ["leases"],
    verbs: ["delete"],
    names: ["tulle-status-writer"],
    ownNamespace: true,
    why: "which replica wrote statuses",
  },
  {
    group: "",
    resources: ["secrets"],
    verbs: ["get", "delete"],
    names: ["tulle-ca"],
    ownNamespace: true,
    why: "the mesh's root, if the control plane made it",
  },
];
