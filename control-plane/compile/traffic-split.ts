/** Compiles the TrafficSplit of one Service port into its route table. */

import type { Mirror, SplitBackend } from "../../model/policy.ts";
import type { Route, RouteMirror, ServiceRef, WeightedBackend } from "../../model/resources.ts";
import type { IndexView, PolicyOf } from "../index/facts.ts";
import { type Dialled, resolveBackend } from "./backend.ts";
import { type MeshNames, servicePortName } from "./names.ts";

type Policies = Pick<Route, "fault" | "retry" | "timeout">;

/** Its matches come first, each with its own backends; requests that match none use the backends of the split. */
export function compileTrafficSplit(
  view: IndexView,
  split: PolicyOf<"TrafficSplit">,
  dialled: Dialled,
  policies: Policies,
  names: MeshNames,
): Route[] {
  const { match, backends, sticky, mirror } = split.spec;
  const name = `TrafficSplit ${split.namespace}/${split.name}`;
  const compileBackends = (of: readonly SplitBackend[]) =>
    of.flatMap((backend) => compileBackend(view, split, backend, dialled, names) ?? []);
  const copied = mirror && compileMirror(view, split, mirror, dialled, names);
  const rest = { ...policies, ...(sticky && { sticky }), ...(copied && { mirrors: [copied] }) };
  return [
    ...match.map((entry, index) => ({
      name: `${name} match ${index}`,
      matches: [entry.match],
      backends: compileBackends(entry.backends),
      ...rest,
    })),
    { name, matches: [], backends: compileBackends(backends), ...rest },
  ];
}

/**
 * A backend that can't be resolved keeps its share, as in Gateway API: its requests are refused with `no_endpoints`, not moved
 * to others. It then names Endpoints that do not exist. Undefined: it has no share, and is left out.
 */
function compileBackend(
  view: IndexView,
  split: PolicyOf<"TrafficSplit">,
  backend: SplitBackend,
  dialled: Dialled,
  names: MeshNames,
): WeightedBackend | undefined {
  const { weight } = backend;
  const service = serviceOf(split, backend);
  const resolved = resolveBackend(view, split, backend, dialled);
  if (resolved.ok) return { endpoints: servicePortName(service, resolved.value.port, names), service, weight };
  if (weight === 0) return undefined;
  const missing = servicePortName(service, backend.port ?? dialled.port, names);
  // Endpoints of a Service without permission do exist, so they must not be named.
  return { endpoints: resolved.error.reason === "RefNotPermitted" ? `refused.${missing}` : missing, service, weight };
}

/** A mirror that can't be resolved is left out: nobody waits for it. */
function compileMirror(
  view: IndexView,
  split: PolicyOf<"TrafficSplit">,
  mirror: Mirror,
  dialled: Dialled,
  names: MeshNames,
): RouteMirror | undefined {
  const resolved = resolveBackend(view, split, mirror, dialled);
  if (!resolved.ok) return undefined;
  const service = serviceOf(split, mirror);
  return { endpoints: servicePortName(service, resolved.value.port, names), service, percent: mirror.percent };
}

function serviceOf(split: PolicyOf<"TrafficSplit">, to: { namespace?: string; service: string }): ServiceRef {
  return { namespace: to.namespace ?? split.namespace, name: to.service };
}
