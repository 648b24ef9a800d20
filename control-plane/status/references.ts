/** What a policy refers to and does not get: targets that are missing or taken, backends that can't be resolved. */

import type { SplitBackend } from "../../model/policy.ts";
import type { Policy } from "../../model/policy-object.ts";
import type { FieldError } from "../../model/result.ts";
import { othersIn, resolveBackend } from "../compile/backend.ts";
import type { ClusterIndex } from "../index/cluster-index.ts";
import type { PolicyOf } from "../index/facts.ts";
import { type Attachment, attachmentsOf, isPort } from "../index/policy-table.ts";

export interface TargetFault extends FieldError {
  readonly reason: "TargetNotFound" | "Conflicted";
}

/** One for each target at which the policy has no effect. */
export function findTargetFaults(index: ClusterIndex, policy: Policy): TargetFault[] {
  const routes = policy.targets.flatMap(({ kind, name }, at): TargetFault[] => {
    if (kind === "Service") return [];
    return [{ path: `spec.targetRefs[${at}]`, reason: "TargetNotFound", message: `no ${kind} ${name} is in the mesh` }];
  });
  return [...routes, ...attachmentsOf(policy).flatMap((at) => missing(index, at) ?? conflict(index, policy, at) ?? [])];
}

function missing(
  index: ClusterIndex,
  { namespace, service: name, section, path }: Attachment,
): TargetFault | undefined {
  if (name === undefined) return undefined;
  const service = index.service(namespace, name);
  if (service === undefined) {
    const message = `must be a Service in namespace ${namespace}, got ${JSON.stringify(name)}${othersIn(index, namespace)}`;
    return { path, reason: "TargetNotFound", message };
  }
  if (section === undefined || service.ports.some((port) => isPort(section, port))) return undefined;
  const ports = service.ports.map((port) => port.name ?? port.port).join(", ");
  const message = `must be a port of Service ${name} (${ports}), got ${JSON.stringify(section)}`;
  return { path: path === "spec.service" ? "spec.port" : `${path}.sectionName`, reason: "TargetNotFound", message };
}

function conflict(index: ClusterIndex, policy: Policy, attachment: Attachment): TargetFault | undefined {
  const { namespace, service, section } = attachment;
  const ports = service === undefined ? [] : (index.service(namespace, service)?.ports ?? []);
  const sectionPort = section === undefined ? undefined : ports.find((port) => isPort(section, port));
  const rival = index.rivalOf(policy, attachment, sectionPort);
  if (rival === undefined) return undefined;
  const port = section === undefined ? "" : ` port ${section}`;
  const target = service === undefined ? `namespace ${namespace}` : `Service ${namespace}/${service}${port}`;
  const message = `${rival.kind} ${rival.namespace}/${rival.name} is attached to ${target} already and goes first`;
  return { path: attachment.path, reason: "Conflicted", message };
}

export interface UnresolvedRef extends FieldError {
  readonly reason: "BackendNotFound" | "RefNotPermitted";
}

/** Backends with a share that lead nowhere, once each, for whichever port they fail. */
export function findUnresolved(index: ClusterIndex, policy: Policy): UnresolvedRef[] {
  if (policy.kind !== "TrafficSplit") return [];
  const dialled = dialledPorts(index, policy);
  return backendsOf(policy).flatMap(([path, backend]) => {
    if (backend.weight === 0) return [];
    for (const port of dialled) {
      const resolved = resolveBackend(index, policy, backend, port);
      if (resolved.ok) continue;
      const { reason, field, message } = resolved.error;
      return [{ path: `${path}.${field}`, reason, message }];
    }
    return [];
  });
}

/** The ports for which the split holds. */
function dialledPorts(index: ClusterIndex, { namespace, spec }: PolicyOf<"TrafficSplit">): number[] {
  if (spec.port !== undefined) return [spec.port];
  return index.service(namespace, spec.service)?.ports.map(({ port }) => port) ?? [];
}

function backendsOf({ spec }: PolicyOf<"TrafficSplit">): (readonly [path: string, backend: SplitBackend])[] {
  return [
    ...spec.match.flatMap(({ backends }, match) =>
      backends.map((backend, index) => [`spec.match[${match}].backends[${index}]`, backend] as const),
    ),
    ...spec.backends.map((backend, index) => [`spec.backends[${index}]`, backend] as const),
  ];
}
