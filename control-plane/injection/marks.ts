/** By what everybody knows a pod of the mesh, and who is to be one: names that clusters hold, and that are never changed. */

/** On a namespace or a pod, as a label: `enabled` or `disabled`. */
export const injectLabel = "tulle.dev/inject";
/** Set on every pod that has been given a sidecar. That and the sidecar in its spec is what "meshed" means. */
export const proxyVersionAnnotation = "tulle.dev/proxy-version";
/** Set at injection: the name of what owns the pod. */
export const workloadAnnotation = "tulle.dev/workload";
export const opaquePortsAnnotation = "tulle.dev/opaque-ports";
export const interceptAnnotation = "tulle.dev/intercept";
/** The init container that sets the redirect, and the sidecar. */
export const initName = "tulle-init";
export const sidecarName = "tulle-sidecar";
/** What the names of both webhooks end with, as the API server says them where they refuse a pod or don't answer. */
export const webhookSuffix = "inject.tulle.dev";
