/** Finds a policy's failed references: targets that are missing or taken, backends that can't be resolved. */

import type { Policy, TargetRef } from "../../model/policy-object.ts";
import type { FieldError } from "../../model/result.ts";
import { othersIn, resolveBackend, type ServiceReference } from "../compile/backend.ts";
import { claimsOn } from "../compile/claims.ts";
import { addsUp } from "../compile/server-policies.ts";
import type { ClusterIndex } from "../index/cluster-index.ts";
import { type PolicyOf, policyName } from "../index/facts.ts";
import { type Attachment, attachmentsOf, isPort } from "../index/policy-table.ts";
import type { ServicePort } from "../index/service.ts";
import type { UnresolvedRef } from "./condition.ts";

export interface TargetFault extends FieldError {
  readonly reason: "TargetNotFound" | "Conflicted";
  /** The policy has no effect at the whole target, or only at part of its ports. */
  readonly extent: "target" | "part";
}

/** Finds where the policy has no effect. */
export function findTargetFaults(index: ClusterIndex, policy: Policy): TargetFault[] {
  return attachmentsOf(policy).flatMap(
    (at): TargetFault | [] => missing(index, at) ?? conflict(index, policy, at) ?? claimed(index, policy) ?? [],
  );
}

function missing(index: ClusterIndex, attachment: Attachment): TargetFault | undefined {
  const { target } = attachment;
  if (target === undefined) return undefined;
  const fault =
    target.kind === "Service" ? missingService(index, attachment, target) : missingRule(index, attachment, target);
  return fault && { ...fault, reason: "TargetNotFound", extent: "target" };
}

type Target = Pick<TargetRef, "kind" | "name">;

function missingService(
  index: ClusterIndex,
  { namespace, section, path }: Attachment,
  { name }: Target,
): FieldError | undefined {
  const service = index.service(namespace, name);
  if (service === undefined) {
    const message = `must be a Service in namespace ${namespace}, got ${JSON.stringify(name)}${othersIn(index, namespace)}`;
    return { path, message };
  }
  if (section === undefined || service.ports.some((port) => isPort(section, port))) return undefined;
  const ports = service.ports.map((port) => port.name ?? port.port).join(", ");
  const message = `must be a port of Service ${name} (${ports}), got ${JSON.stringify(section)}`;
  return { path: path === "spec.service" ? "spec.port" : `${path}.sectionName`, message };
}

function missingRule(
  index: ClusterIndex,
  { namespace, section, path }: Attachment,
  { kind, name }: Target,
): FieldError | undefined {
  const route = kind === "Service" ? undefined : index.route(kind, namespace, name);
  if (route === undefined) {
    const message = `must be a ${kind} of a Service, in namespace ${namespace}, got ${JSON.stringify(name)}`;
    return { path, message };
  }
  const rules = route.rules.flatMap((rule) => rule.name ?? []);
  if (section === undefined || rules.includes(section)) return undefined;
  const named = rules.join(", ") || "none has a name";
  const message = `must be a rule of ${kind} ${name} (${named}), got ${JSON.stringify(section)}`;
  return { path: `${path}.sectionName`, message };
}

function conflict(index: ClusterIndex, policy: Policy, attachment: Attachment): TargetFault | undefined {
  if (addsUp(policy.kind)) return undefined;
  const { namespace, target, section, path } = attachment;
  const ports = target?.kind === "Service" ? (index.service(namespace, target.name)?.ports ?? []) : [];
  const sectionPort = section === undefined ? undefined : ports.find((port) => isPort(section, port));
  const rival = index.rivalOf(policy, attachment, sectionPort);
  if (rival === undefined) return undefined;
  const part = section === undefined ? "" : ` ${target?.kind === "Service" ? "port" : "rule"} ${section}`;
  const what = target === undefined ? `namespace ${namespace}` : `${target.kind} ${namespace}/${target.name}${part}`;
  const message = `${rival.kind} ${rival.namespace}/${rival.name} is attached to ${what} already and goes first`;
  return { path, reason: "Conflicted", extent: "target", message };
}

/** A split yields to routes at each port that they claim. */
function claimed(index: ClusterIndex, policy: Policy): TargetFault | undefined {
  if (policy.kind !== "TrafficSplit") return undefined;
  const service = index.service(policy.namespace, policy.spec.service);
  if (service === undefined) return undefined;
  const ports = dialledPorts(index, policy);
  const claims = ports.flatMap((port) => {
    const claim = claimsOn(index, service, port).find(({ namespace }) => namespace === policy.namespace);
    return claim === undefined ? [] : [{ port, by: claim.routes.map(policyName).join(", ") }];
  });
  if (claims.length === 0) return undefined;
  const message = claims.map(({ port, by }) => `port ${port.port} is claimed by ${by}, which goes first`).join("; ");
  const extent = claims.length === ports.length ? "target" : "part";
  return { path: "spec.service", reason: "Conflicted", extent, message };
}

/** Backends with a share, and mirrors, that can't be resolved: each once, with the first port at which it fails. */
export function findUnresolved(index: ClusterIndex, policy: Policy): UnresolvedRef[] {
  if (policy.kind !== "TrafficSplit") return [];
  const { namespace } = policy;
  const name = policy.spec.service;
  const dialled = dialledPorts(index, policy).map(({ port }) => ({ namespace, name, port }));
  return referencesOf(policy).flatMap(([path, reference]) => {
    for (const from of dialled) {
      const resolved = resolveBackend(index, policy, reference, from);
      if (resolved.ok) continue;
      const { reason, field, message } = resolved.error;
      return [{ path: `${path}.${field}`, reason, message }];
    }
    return [];
  });
}

/** The ports to which the split applies. */
function dialledPorts(index: ClusterIndex, { namespace, spec }: PolicyOf<"TrafficSplit">): readonly ServicePort[] {
  const ports = index.service(namespace, spec.service)?.ports ?? [];
  return spec.port === undefined ? ports : ports.filter(({ port }) => port === spec.port);
}

/** The backends with a share, and the mirror, by their fields. */
export function referencesOf({
  spec,
}: PolicyOf<"TrafficSplit">): (readonly [path: string, reference: ServiceReference])[] {
  const backends = [
    ...spec.match.flatMap(({ backends }, match) =>
      backends.map((backend, index) => [`spec.match[${match}].backends[${index}]`, backend] as const),
    ),
    ...spec.backends.map((backend, index) => [`spec.backends[${index}]`, backend] as const),
  ];
  const { mirror } = spec;
  return [
    ...backends.filter(([, { weight }]) => weight > 0),
    ...(mirror === undefined ? [] : [["spec.mirror", mirror] as const]),
  ];
}
