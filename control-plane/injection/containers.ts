/**
 * The two containers and three volumes that a pod gets. All of their configuration is decided here, without reading the pod.
 */

import type { ApplicationProbes } from "../../model/application-probe.ts";
import type { ProxySettings } from "./annotations.ts";
import type { InjectionConfig } from "./config.ts";
import { initName, sidecarName } from "./marks.ts";
import type { Container, NamedObject } from "./pod-spec.ts";

export const proxyUser = 1337;
/** The ports of the sidecar, in the pod's network namespace. */
export const proxyPorts: readonly number[] = [15_001, 15_006, 15_008, 15_020];
export const probesVariable = "TULLE_PROBES";

const adminPort = 15_020;
const tokenVolume = "tulle-token";
const trustVolume = "tulle-trust-bundle";
const stateVolume = "tulle-state";
const redisVolume = "tulle-redis";
const folders = {
  token: "/var/run/secrets/tulle",
  trust: "/etc/tulle/trust",
  state: "/var/lib/tulle",
  redis: "/etc/tulle/redis",
};
const tokenSeconds = 3_600;
/** Kubelet probes once a second. After five minutes without a control plane it restarts the sidecar, which tries again. */
const startupAttempts = 300;

const locked = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
};

/** Runs before everything else in the pod, and then ends. */
export function initContainer(settings: ProxySettings, config: InjectionConfig): Container {
  const env = Object.entries({
    TULLE_SKIP_INBOUND_PORTS: settings.skipInboundPorts.join(","),
    TULLE_SKIP_OUTBOUND_PORTS: settings.skipOutboundPorts.join(","),
    TULLE_SKIP_OUTBOUND_RANGES: settings.skipOutboundRanges.join(","),
  }).filter(([, value]) => value !== "");
  return {
    name: initName,
    image: config.images.init,
    imagePullPolicy: config.images.pullPolicy,
    ...(env.length === 0 ? {} : { env: env.map(([name, value]) => ({ name, value })) }),
    resources: resourcesOf(settings),
    securityContext: {
      ...locked,
      // The kernel accepts rules from no other user.
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
    },
  };
}

/** A native sidecar: starts before the application's own init containers, and ends after the application. */
export function sidecarContainer(
  workload: string,
  probes: ApplicationProbes,
  settings: ProxySettings,
  config: InjectionConfig,
): Container {
  return {
    name: sidecarName,
    image: config.images.sidecar,
    imagePullPolicy: config.images.pullPolicy,
    restartPolicy: "Always",
    env: sidecarEnvironment(workload, probes, settings, config),
    resources: resourcesOf(settings),
    securityContext: {
      ...locked,
      runAsUser: proxyUser,
      runAsGroup: proxyUser,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    // Passes only with a certificate, the workload's own policy and all listeners open.
    startupProbe: { httpGet: { path: "/ready", port: adminPort }, periodSeconds: 1, failureThreshold: startupAttempts },
    readinessProbe: { httpGet: { path: "/ready", port: adminPort }, periodSeconds: 5, timeoutSeconds: 3 },
    livenessProbe: {
      httpGet: { path: "/live", port: adminPort },
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
    },
    // Kubelet runs it as soon as the pod is told to terminate; the signal follows once the application has ended.
    lifecycle: { preStop: { exec: { command: ["/usr/local/bin/node", "/tulle/drain.mjs"] } } },
    volumeMounts: [
      { name: tokenVolume, mountPath: folders.token, readOnly: true },
      { name: trustVolume, mountPath: folders.trust, readOnly: true },
      { name: stateVolume, mountPath: folders.state },
      ...(settings.redisSecret === "" ? [] : [{ name: redisVolume, mountPath: folders.redis, readOnly: true }]),
    ],
  };
}

export function volumes({ redisSecret }: ProxySettings): readonly NamedObject[] {
  const token = { path: "token", audience: "tulle", expirationSeconds: tokenSeconds };
  return [
    { name: tokenVolume, projected: { sources: [{ serviceAccountToken: token }] } },
    { name: trustVolume, configMap: { name: "tulle-trust-bundle" } },
    // Keys never touch a disk, and survive a restart of the sidecar.
    { name: stateVolume, emptyDir: { medium: "Memory", sizeLimit: "32Mi" } },
    ...(redisSecret === "" ? [] : [{ name: redisVolume, secret: { secretName: redisSecret } }]),
  ];
}

function sidecarEnvironment(
  workload: string,
  probes: ApplicationProbes,
  settings: ProxySettings,
  config: InjectionConfig,
): NonNullable<Container["env"]> {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const plain = Object.entries({
    TULLE_WORKLOAD: workload,
    TULLE_TRUST_DOMAIN: config.trustDomain,
    TULLE_CONTROL_PLANE: config.controlPlane,
    TULLE_TOKEN_FILE: `${folders.token}/token`,
    TULLE_TRUST_BUNDLE: `${folders.trust}/trust-bundle.pem`,
    TULLE_STATE_DIR: folders.state,
    TULLE_REDIS_URL_FILE: settings.redisSecret === "" ? "" : `${folders.redis}/url`,
    TULLE_INTERCEPT: settings.interception,
    TULLE_OUTBOUND_MTLS: settings.outboundMtls,
    TULLE_ROUTE_BY: settings.routeBy,
    TULLE_OUTSIDE: settings.outside === "allow" ? "" : settings.outside,
    TULLE_UPSTREAMS: settings.upstreams,
    TULLE_DRAIN_SECONDS: String(settings.drainSeconds),
    TULLE_LOG_LEVEL: settings.logLevel,
    TULLE_ACCESS_LOG: settings.accessLog,
    OTEL_EXPORTER_OTLP_ENDPOINT: config.tracing.endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: config.tracing.endpoint === "" ? "" : config.tracing.protocol,
    [probesVariable]: Object.keys(probes).length === 0 ? "" : JSON.stringify(probes),
  }).filter(([, value]) => value !== "");
  return [
    field("POD_IP", "status.podIP"),
    field("TULLE_POD", "metadata.name"),
    field("TULLE_NAMESPACE", "metadata.namespace"),
    field("TULLE_SERVICE_ACCOUNT", "spec.serviceAccountName"),
    field("TULLE_NODE", "spec.nodeName"),
    // From Kubernetes 1.35 on, a pod carries its node's label; before that, the value is empty.
    field("TULLE_ZONE", "metadata.labels['topology.kubernetes.io/zone']"),
    ...plain.map(([name, value]) => ({ name, value })),
  ];
}

function resourcesOf({ cpuRequest, cpuLimit, memoryRequest, memoryLimit }: ProxySettings) {
  const given = (cpu: string, memory: string) => ({
    ...(cpu === "" ? {} : { cpu }),
    ...(memory === "" ? {} : { memory }),
  });
  const limits = given(cpuLimit, memoryLimit);
  return { requests: given(cpuRequest, memoryRequest), ...(Object.keys(limits).length === 0 ? {} : { limits }) };
}
