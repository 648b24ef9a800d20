/**
 * The kinds of Kubernetes itself and of Tulle: a folder may hold all of them, and the mesh reads only some. A kind outside
 * these groups is someone's own and passes with a warning; a kind that claims one of the groups but is not listed is a
 * misspelling.
 */

import { policyKinds } from "../../model/parse/policy.ts";

const kindsByGroup: Readonly<Record<string, string>> = {
  "": `Binding ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate
    ReplicationController ResourceQuota Secret Service ServiceAccount`,
  apps: "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
  autoscaling: "HorizontalPodAutoscaler",
  batch: "CronJob Job",
  policy: "PodDisruptionBudget",
  "admissionregistration.k8s.io": `MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration
    ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration`,
  "apiextensions.k8s.io": "CustomResourceDefinition",
  "apiregistration.k8s.io": "APIService",
  "certificates.k8s.io": "CertificateSigningRequest ClusterTrustBundle",
  "coordination.k8s.io": "Lease",
  "discovery.k8s.io": "EndpointSlice",
  "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
  "gateway.networking.k8s.io": `BackendTLSPolicy GRPCRoute Gateway GatewayClass HTTPRoute ReferenceGrant TCPRoute TLSRoute
    UDPRoute`,
  "networking.k8s.io": "IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR",
  "node.k8s.io": "RuntimeClass",
  "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding Role RoleBinding",
  "scheduling.k8s.io": "PriorityClass",
  "tulle.dev": policyKinds.join(" "),
  "storage.k8s.io": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass",
};

const knownKinds: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(kindsByGroup).map(([group, kinds]) => [group, kinds.split(/\s+/)]),
);

/** `listed`: a known kind; `misspelt`: the group is known, the kind is not in it; `foreign`: neither. */
export function recognizeKind(group: string, kind: string): "listed" | "misspelt" | "foreign" {
  const kinds = knownKinds.get(group);
  if (kinds === undefined) return "foreign";
  return kinds.includes(kind) ? "listed" : "misspelt";
}

/** All kinds of a known group, for messages. */
export function kindsOf(group: string): readonly string[] {
  return knownKinds.get(group) ?? [];
}
