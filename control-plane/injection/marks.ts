/**
 * The marks by which everybody recognizes pods of the mesh, and pods that should be: clusters store these names, so they never
 * change.
 */

/** A label on a namespace or a pod: `enabled` or `disabled`. */
export const injectLabel = "tulle.dev/inject";
/** Set on every pod that was given a sidecar. A pod is "meshed" if it has this and the sidecar in its spec. */
export const proxyVersionAnnotation = "tulle.dev/proxy-version";
/** Set at injection: the name of the pod's owner. */
export const workloadAnnotation = "tulle.dev/workload";
export const opaquePortsAnnotation = "tulle.dev/opaque-ports";
export const interceptAnnotation = "tulle.dev/intercept";
/** The init container that sets the redirect, and the sidecar. */
export const initName = "tulle-init";
export const sidecarName = "tulle-sidecar";
/** The suffix of both webhooks' names; the API server shows the name when a webhook refuses a pod or does not answer. */
export const webhookSuffix = "inject.tulle.dev";
