/** AdmissionReviews as the API server sends them. */

/** `object` without an `apiVersion` gets `tulle.dev/v1alpha1`; `changes` are changes to the request. */
export function reviewOf(
  object: { kind: string; apiVersion?: string; metadata?: { name?: string; namespace?: string }; spec?: unknown },
  changes: Record<string, unknown> = {},
): { apiVersion: string; kind: string; request: Record<string, unknown> } {
  const { apiVersion = "tulle.dev/v1alpha1", kind, metadata = {} } = object;
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "4711",
      kind: { group, version, kind },
      operation: "CREATE",
      namespace: metadata.namespace ?? "shop",
      ...(metadata.name !== undefined && { name: metadata.name }),
      object: { ...object, apiVersion },
      oldObject: null,
      dryRun: false,
      ...changes,
    },
  };
}
