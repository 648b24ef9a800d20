/**
 * Gives a pod its sidecar. Pure: the same pod and configuration give the same result, and injecting again changes nothing,
 * except for what other webhooks have changed since.
 *
 * ```
 *   init containers:  tulle-init ─▶ tulle-sidecar (stays) ─▶ the application's own …
 * ```
 */

import { type ApplicationProbes, parseApplicationProbes } from "../../model/application-probe.ts";
import type { FieldError } from "../../model/result.ts";
import { type ProxySettings, readSettings } from "./annotations.ts";
import type { InjectionConfig } from "./config.ts";
import { initContainer, probesVariable, proxyPorts, proxyUser, sidecarContainer, volumes } from "./containers.ts";
import {
  initName,
  injectLabel,
  opaquePortsAnnotation,
  proxyVersionAnnotation,
  sidecarName,
  workloadAnnotation,
} from "./marks.ts";
import type { Container, NamedObject, PodMeta, PodSpec, PodTemplate } from "./pod-spec.ts";
import { rewriteProbes } from "./probes.ts";

export type Injection =
  | { readonly kind: "injected"; readonly pod: PodTemplate }
  /** The pod should run as it is. */
  | { readonly kind: "skipped"; readonly reason: string }
  /** The pod asked for a sidecar and can't have one: it must not run without. */
  | { readonly kind: "refused"; readonly errors: readonly FieldError[] };

export interface InjectionTarget {
  readonly namespace: string;
  /** The name of the pod's owner. */
  readonly workload: string;
}

const oldestMinor = 29;
/** The first minor version whose kubelet supports `preStop.sleep`. */
const sleepMinor = 30;
/** The API server's default if the pod sets none. */
const defaultGraceSeconds = 30;
export const clusterNamespaces: readonly string[] = ["kube-system", "kube-public", "kube-node-lease"];
/** Init containers that set another mesh's redirect, or wait for its network plugin to have set it. */
const otherMeshes: ReadonlyMap<string, string> = new Map([
  ["linkerd-init", "Linkerd"],
  ["linkerd-network-validator", "Linkerd"],
  ["istio-init", "Istio"],
  ["istio-validation", "Istio"],
  ["kuma-init", "Kuma"],
  ["kuma-validation", "Kuma"],
  ["consul-connect-inject-init", "Consul"],
]);
/** On pods described by a node's own files, which can use neither ConfigMaps nor tokens. */
export const mirrorAnnotation = "kubernetes.io/config.mirror";

export function inject(pod: PodTemplate, target: InjectionTarget, config: InjectionConfig): Injection {
  const skipped = reasonToSkip(pod, target.namespace, config);
  if (skipped !== undefined) return { kind: "skipped", reason: skipped };
  const { annotations = {} } = pod.metadata ?? {};
  const settings = readSettings(annotations, config.defaults);
  const errors = reasonsToRefuse(pod.spec, config);
  if (!settings.ok) return { kind: "refused", errors: [...settings.error, ...errors] };
  if (errors.length > 0) return { kind: "refused", errors };
  const workload = annotations[workloadAnnotation] ?? target.workload;
  return { kind: "injected", pod: injected(pod, workload, settings.value, config) };
}

/** Whether the pod has a sidecar from an earlier injection. */
export function isInjected({ metadata, spec }: PodTemplate): boolean {
  const isStamped = metadata?.annotations?.[proxyVersionAnnotation] !== undefined;
  return isStamped && (spec.initContainers ?? []).some(({ name }) => name === sidecarName);
}

function reasonToSkip(pod: PodTemplate, namespace: string, config: InjectionConfig): string | undefined {
  const { labels = {}, annotations = {} } = pod.metadata ?? {};
  if (clusterNamespaces.includes(namespace)) return `${namespace} is the cluster's own namespace`;
  if (namespace === config.namespace) return `${namespace} is the mesh's own namespace`;
  if (labels[injectLabel] === "disabled") return `its label ${injectLabel} is disabled`;
  return annotations[mirrorAnnotation] === undefined ? undefined : "it is a static pod of its node";
}

function reasonsToRefuse(spec: PodSpec, { kubernetesMinor }: InjectionConfig): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (path: string, message: string) => errors.push({ path, message });
  if (kubernetesMinor < oldestMinor)
    refuse("spec", `can have no sidecar: it needs Kubernetes 1.${oldestMinor} or later, this is 1.${kubernetesMinor}`);
  if (spec.hostNetwork === true)
    refuse(
      "spec.hostNetwork",
      `must be false: redirects would be the whole node's. Label the pod ${injectLabel}: disabled`,
    );
  if (spec.os?.name === "windows") refuse("spec.os.name", "must be linux: the redirect is made of iptables rules");
  for (const field of ["initContainers", "containers"] as const) {
    (spec[field] ?? []).forEach((container, index) => {
      if (isOwn(container)) return;
      const path = `spec.${field}[${index}]`;
      const other = otherMeshes.get(container.name);
      if (other !== undefined)
        refuse(`${path}.name`, `must not be ${container.name}: the pod is in ${other}, and can be in one mesh only`);
      if ((container.securityContext?.runAsUser ?? spec.securityContext?.runAsUser) === proxyUser)
        refuse(`${path}.securityContext.runAsUser`, `must not be ${proxyUser}: what this user sends is not redirected`);
      (container.ports ?? []).forEach(({ containerPort }, at) => {
        if (containerPort !== undefined && proxyPorts.includes(containerPort))
          refuse(`${path}.ports[${at}].containerPort`, `must not be ${containerPort}: the sidecar listens there`);
      });
    });
  }
  return errors;
}

function injected(pod: PodTemplate, workload: string, settings: ProxySettings, config: InjectionConfig): PodTemplate {
  const { metadata = {}, spec } = pod;
  const { initContainers = [] } = spec;
  const known = new Map(initContainers.filter(isOwn).map((container) => [container.name, container]));
  const isRedirected = settings.interception === "iptables";
  const probes: Record<string, ApplicationProbes[string]> = { ...probesOf(known.get(sidecarName)) };
  const rewrite = (container: Container): Container => {
    if (!isRedirected) return container;
    const rewritten = rewriteProbes(container);
    Object.assign(probes, rewritten.probes);
    return rewritten.container;
  };
  const pauseSeconds = pauseOf(spec, settings, config);
  const containers = spec.containers.map((container) => delayed(rewrite(container), pauseSeconds));
  const ownInit = initContainers.filter((container) => !isOwn(container)).map(rewrite);
  const sidecar = known.get(sidecarName);
  const first = [
    ...(isRedirected ? [known.get(initName) ?? initContainer(settings, config)] : []),
    sidecar === undefined ? sidecarContainer(workload, probes, settings, config) : withProbes(sidecar, probes),
  ];
  return {
    ...pod,
    metadata: stamped(metadata, workload, settings, config),
    spec: {
      ...spec,
      initContainers: [...first, ...ownInit],
      containers,
      volumes: withOwn(spec.volumes ?? [], settings),
    },
  };
}

function isOwn({ name }: Container): boolean {
  return name === initName || name === sidecarName;
}

/** Kubernetes rejects a pod that would sleep for longer than its grace period. */
function pauseOf(
  { terminationGracePeriodSeconds }: PodSpec,
  { preStopSeconds }: ProxySettings,
  { kubernetesMinor }: InjectionConfig,
): number {
  const graceSeconds = terminationGracePeriodSeconds ?? defaultGraceSeconds;
  return kubernetesMinor < sleepMinor ? 0 : Math.min(preStopSeconds, graceSeconds);
}

/** Delays the stop, so that callers learn that the pod is leaving before its application stops accepting connections. */
function delayed(container: Container, pauseSeconds: number): Container {
  const { lifecycle } = container;
  if (pauseSeconds <= 0 || lifecycle?.preStop !== undefined) return container;
  return { ...container, lifecycle: { ...lifecycle, preStop: { sleep: { seconds: pauseSeconds } } } };
}

function stamped(
  metadata: PodMeta,
  workload: string,
  { opaquePorts }: ProxySettings,
  { proxyVersion }: InjectionConfig,
): PodMeta {
  const stamp = {
    [proxyVersionAnnotation]: proxyVersion,
    [workloadAnnotation]: workload,
    // A default that the chart sets for all pods must also be written on each.
    ...(opaquePorts.length > 0 && { [opaquePortsAnnotation]: opaquePorts.join(",") }),
  };
  return { ...metadata, annotations: { ...stamp, ...metadata.annotations } };
}

/** What an earlier injection saved: those containers' probes already point at the sidecar. */
function probesOf(sidecar: Container | undefined): ApplicationProbes {
  const kept = parseApplicationProbes(sidecar?.env?.find(({ name }) => name === probesVariable)?.value ?? "");
  return kept.ok ? Object.fromEntries(kept.value) : {};
}

function withProbes(sidecar: Container, probes: ApplicationProbes): Container {
  if (Object.keys(probes).length === 0) return sidecar;
  const others = (sidecar.env ?? []).filter(({ name }) => name !== probesVariable);
  return { ...sidecar, env: [...others, { name: probesVariable, value: JSON.stringify(probes) }] };
}

function withOwn(others: readonly NamedObject[], settings: ProxySettings): readonly NamedObject[] {
  const missing = volumes(settings).filter(({ name }) => !others.some((volume) => volume.name === name));
  return [...others, ...missing];
}
