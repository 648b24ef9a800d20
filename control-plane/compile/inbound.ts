/** Compiles the Inbound of a workload: the ports at which its pods are served, how each is read, and who may call it. */

import type { NamedAccessRules } from "../../model/policy.ts";
import type { Inbound, InboundPort, Protocol } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import { selects, type Workload } from "../index/pod.ts";
import { targetPort } from "./endpoints.ts";
import { workloadName } from "./names.ts";
import { readProtocol } from "./protocol.ts";
import { serverPolicies } from "./server-policies.ts";

/**
 * The ports that containers declare and those that a Service leads to. What a Service says of a port's protocol goes
 * before what the container's port name says; among Services the first by name that says anything.
 */
export function compileInbound(view: IndexView, namespace: string, name: string): Inbound | undefined {
  const workload = view.workload(namespace, name);
  if (workload === undefined) return undefined;
  const ports = servedPorts(view, workload);
  for (const declared of workload.ports) setProtocol(ports, declared.port, readProtocol(declared));
  return {
    name: workloadName(namespace, name),
    ports: [...ports]
      .map(([port, protocol]): InboundPort => ({ port, protocol, ...policiesOf(view, workload, port) }))
      .sort((a, b) => a.port - b.port),
  };
}

function policiesOf(view: IndexView, workload: Workload, port: number): Pick<InboundPort, "access"> {
  const access = serverPolicies(view, "AccessPolicy", workload, port).flatMap(
    ({ namespace, name, spec }): NamedAccessRules[] =>
      spec.access === undefined ? [] : [{ name: `${namespace}/${name}`, ...spec.access }],
  );
  return { ...(access.length > 0 && { access }) };
}

function servedPorts(view: IndexView, workload: Workload): Map<number, Protocol> {
  const ports = new Map<number, Protocol>();
  for (const service of view.servicesIn(workload.namespace)) {
    if (!selects(service.selector, workload.labels)) continue;
    for (const port of service.ports) {
      const target = targetPort(workload, port);
      if (target !== undefined) setProtocol(ports, target, readProtocol(port));
    }
  }
  return ports;
}

/** Keeps what is known already, unless that says nothing. */
function setProtocol(ports: Map<number, Protocol>, port: number, protocol: Protocol): void {
  const known = ports.get(port);
  if (known === undefined || known === "detect") ports.set(port, protocol);
}
