/**
 * Compiles the Inbound of a workload, or of one of its pods: the ports at which it is served, how each is read, and the
 * policies that hold there.
 */

import { effectiveMtls, mtlsLevelOf } from "../../model/access.ts";
import type { MtlsMode, NamedAccessRules, NamedIdempotencyRules, NamedRateLimits } from "../../model/policy.ts";
import type { Inbound, InboundPort, PortPolicies, Protocol } from "../../model/resources.ts";
import { type IndexView, meshNamespace, type PolicyOf } from "../index/facts.ts";
import { servicesSelecting } from "../index/selecting.ts";
import { workloadName } from "./names.ts";
import { readProtocol } from "./protocol.ts";
import { namedPorts, type Server, serverPolicies, serverPolicy } from "./server-policies.ts";
import { targetPort } from "./target-port.ts";

/**
 * The ports that containers declare, that a Service points to, or that are declared opaque, which takes precedence over
 * everything. A Service's word on a port's protocol takes precedence over the container's port name; among Services the first
 * by name that says anything wins.
 */
export function compileInbound(view: IndexView, name: string, workload: Server): Inbound {
  const ports = protocolsOf(view, workload);
  const listed = [...ports].map(
    ([port, protocol]): InboundPort => ({ port, protocol, ...policiesOf(view, workload, port) }),
  );
  const unlisted = [...namedPorts(view, workload)]
    .filter((port) => !ports.has(port))
    .map((port): InboundPort => ({ port, protocol: "detect", ...policiesOf(view, workload, port) }));
  const elsewhere = policiesOf(view, workload, undefined);
  return {
    name: workloadName(workload.namespace, name),
    ports: listed.sort(byPort),
    ...(unlisted.length > 0 && { unlisted: unlisted.sort(byPort) }),
    ...(Object.keys(elsewhere).length > 0 && { elsewhere }),
  };
}

function byPort(a: InboundPort, b: InboundPort): number {
  return a.port - b.port;
}

function policiesOf(view: IndexView, workload: Server, port: number | undefined): PortPolicies {
  const policies = serverPolicies(view, "AccessPolicy", workload, port);
  const access = policies.flatMap(({ namespace, name, spec }): NamedAccessRules[] =>
    spec.access === undefined ? [] : [{ name: `${namespace}/${name}`, ...spec.access }],
  );
  const mtls = mtlsOf(policies);
  const rateLimits = serverPolicies(view, "RateLimit", workload, port).map(
    ({ namespace, name, spec }): NamedRateLimits => ({ name: `${namespace}/${name}`, limits: spec.limits }),
  );
  const keys = serverPolicy(view, "IdempotencyPolicy", workload, port);
  const accessLog = serverPolicy(view, "TelemetryPolicy", workload, port)?.spec.accessLog;
  return {
    ...(access.length > 0 && { access }),
    ...(mtls === "strict" && { mtls }),
    ...(rateLimits.length > 0 && { rateLimits }),
    ...(keys !== undefined && { idempotency: rulesOf(keys) }),
    ...(accessLog !== undefined && { accessLog }),
  };
}

function mtlsOf(policies: readonly PolicyOf<"AccessPolicy">[]): MtlsMode {
  return effectiveMtls(
    policies.flatMap(({ namespace, targets, spec }) => {
      const level = mtlsLevelOf(spec, targets.length > 0, namespace === meshNamespace);
      return spec.mtls === undefined ? [] : [{ level, mtls: spec.mtls }];
    }),
  );
}

/** The policies that require plaintext to be refused at one or more of a server's ports. */
export function strictPolicies(view: IndexView, server: Server): ReadonlySet<PolicyOf<"AccessPolicy">> {
  const found = new Set<PolicyOf<"AccessPolicy">>();
  for (const port of new Set([...protocolsOf(view, server).keys(), ...namedPorts(view, server), undefined])) {
    const policies = serverPolicies(view, "AccessPolicy", server, port);
    if (mtlsOf(policies) !== "strict") continue;
    for (const policy of policies) if (policy.spec.mtls === "strict") found.add(policy);
  }
  return found;
}

function rulesOf({ namespace, name, spec }: PolicyOf<"IdempotencyPolicy">): NamedIdempotencyRules {
  const { labels: _, ports: __, ...rules } = spec;
  return { name: `${namespace}/${name}`, ...rules };
}

/** The protocols of the ports at which a workload, or one of its pods, is served. */
export function protocolsOf(view: IndexView, workload: Server): ReadonlyMap<number, Protocol> {
  const ports = servedPorts(view, workload);
  for (const declared of workload.ports) setProtocol(ports, declared.port, readProtocol(declared));
  for (const port of workload.opaquePorts ?? []) ports.set(port, "opaque");
  return ports;
}

function servedPorts(view: IndexView, workload: Server): Map<number, Protocol> {
  const ports = new Map<number, Protocol>();
  for (const service of servicesSelecting(view.servicesIn(workload.namespace), workload.labels)) {
    for (const port of service.ports) {
      const target = targetPort(workload, port);
      if (target !== undefined) setProtocol(ports, target, readProtocol(port));
    }
  }
  return ports;
}

/** Keeps a protocol that is already known, unless that is `detect`. */
function setProtocol(ports: Map<number, Protocol>, port: number, protocol: Protocol): void {
  const known = ports.get(port);
  if (known === undefined || known === "detect") ports.set(port, protocol);
}
