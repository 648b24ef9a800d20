/**
 * Points kubelet's probes and httpGet hooks at the sidecar's admin port, and saves their original targets. It judges no probe.
 */

import {
  type ApplicationProbe,
  type ApplicationProbes,
  type ProbeAction,
  probePath,
} from "../../model/application-probe.ts";
import type { Container, Hook, HttpGet, Probe } from "./pod-spec.ts";

export interface RewrittenProbes {
  readonly container: Container;
  readonly probes: ApplicationProbes;
}

const adminPort = 15_020;
const defaultTimeoutSeconds = 1;
const probeKinds = { startupProbe: "startup", livenessProbe: "liveness", readinessProbe: "readiness" } as const;
const hookKinds = { postStart: "post-start", preStop: "pre-stop" } as const;

/**
 * Leaves alone what the sidecar can't stand in for (exec, sleep), probes of another host than the pod, probes of a named port
 * that the container does not have, and probes that already point at the sidecar.
 */
export function rewriteProbes(container: Container): RewrittenProbes {
  const probes: Record<string, ApplicationProbe> = {};
  const keep = <T extends Hook>(hook: T | undefined, kind: string, rewrite: (path: string) => T): T | undefined => {
    const action = hook === undefined ? undefined : actionOf(hook, container);
    if (hook === undefined || action === undefined) return hook;
    const path = probePath(container.name, kind);
    const isHook = Object.values<string>(hookKinds).includes(kind);
    const timeoutMs = 1000 * ((hook as Probe).timeoutSeconds ?? defaultTimeoutSeconds);
    probes[path] = isHook ? { action } : { action, timeoutMs };
    return rewrite(path);
  };
  const rewritten: Record<string, unknown> = { ...container };
  for (const [field, kind] of Object.entries(probeKinds)) {
    const probe = container[field as keyof typeof probeKinds];
    const next = keep(probe, kind, (path) => pointAt(probe ?? {}, path));
    if (next !== undefined) rewritten[field] = next;
  }
  const lifecycle: Record<string, unknown> = { ...container.lifecycle };
  for (const [field, kind] of Object.entries(hookKinds)) {
    const hook = container.lifecycle?.[field as keyof typeof hookKinds];
    const next = keep(hook, kind, (path) => ({ httpGet: { path, port: adminPort } }));
    if (next !== undefined) lifecycle[field] = next;
  }
  if (container.lifecycle !== undefined) rewritten["lifecycle"] = lifecycle;
  return { container: rewritten as unknown as Container, probes };
}

/** Keeps the probe's thresholds and times. */
function pointAt({ httpGet: _http, tcpSocket: _tcp, grpc: _grpc, ...times }: Probe, path: string): Probe {
  return { ...times, httpGet: { path, port: adminPort } };
}

function actionOf({ httpGet, tcpSocket, grpc }: Probe, container: Container): ProbeAction | undefined {
  if (httpGet !== undefined) return httpAction(httpGet, container);
  if (tcpSocket !== undefined) {
    const port = portOf(tcpSocket.port, container);
    return port === undefined || isElsewhere(tcpSocket.host) ? undefined : { kind: "tcp", port };
  }
  return grpc === undefined ? undefined : { kind: "grpc", port: grpc.port, service: grpc.service ?? "" };
}

function httpAction({ port: named, host, path, scheme, httpHeaders }: HttpGet, container: Container) {
  const port = portOf(named, container);
  if (port === undefined || port === adminPort || isElsewhere(host)) return undefined;
  return {
    kind: "http",
    port,
    path: path === undefined || path === "" ? "/" : path,
    tls: scheme?.toUpperCase() === "HTTPS",
    headers: (httpHeaders ?? []).map(({ name, value }) => [name, value] as const),
  } as const;
}

function isElsewhere(host: string | undefined): boolean {
  return host !== undefined && host !== "";
}

function portOf(port: number | string, { ports = [] }: Container): number | undefined {
  if (typeof port === "number") return port;
  // Helm charts quote numbers.
  if (/^[0-9]+$/.test(port)) return Number(port);
  return ports.find(({ name }) => name === port)?.containerPort;
}
