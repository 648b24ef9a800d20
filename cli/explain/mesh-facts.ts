/**
 * What an explanation needs to know about a mesh, from either source: a control plane's pipeline over YAML or a cluster, or the
 * current state of one sidecar.
 */

import type { PolicyKind } from "../../model/policy-object.ts";
import type { Destination, Endpoints, PortPolicies, Route, WeightedBackend } from "../../model/resources.ts";

export interface MeshFacts {
  readonly clusterDomain: string;
  readonly trustDomain: string;
  /** Undefined: there is none of that name. */
  readonly destination: (name: string) => Destination | undefined;
  /** Explains why a destination may be unknown. */
  readonly unknown: (name: string) => string;
  /** The names of all known destinations. */
  readonly destinations: () => readonly string[];
  readonly endpoints: (name: string) => Endpoints | undefined;
  /** The SPIFFE id of a workload; undefined: it has none yet. Throws a `UsageError` if nothing of that name is known. */
  readonly identityOf: (namespace: string, workload: string) => string | undefined;
  /** The policies behind a route's retry, timeout and faults; an absent kind has no policy, or it is unknown. */
  readonly policiesOf: (destination: Destination, route: Route, port: number) => PolicyNames;
  /** The workloads behind a backend, as far as known. */
  readonly serversOf: (backend: WeightedBackend) => readonly KnownServer[];
  /** The current state of an endpoint's breaker; undefined: unknown. */
  readonly breakerState?: (endpoints: string, address: string) => BreakerState | undefined;
}

export type PolicyNames = Readonly<Partial<Record<PolicyKind, string>>>;

export type BreakerState = "closed" | "open" | "half-open";

/** A workload, and what applies at the port in question. */
export interface KnownServer {
  readonly workload: string;
  readonly port: number;
  readonly policies: PortPolicies;
  /** `namespace/name` of the pods to which this applies, if something else applies to others of the workload. */
  readonly pods?: readonly string[];
}
