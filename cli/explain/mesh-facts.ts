/**
 * What an explanation has to know of a mesh, whoever tells it: a control plane's pipeline over YAML or a cluster, or one
 * sidecar of what it goes by now.
 */

import type { PolicyKind } from "../../model/policy-object.ts";
import type { Destination, Endpoints, PortPolicies, Route, WeightedBackend } from "../../model/resources.ts";

export interface MeshFacts {
  readonly clusterDomain: string;
  readonly trustDomain: string;
  /** Undefined: there is none of that name. */
  readonly destination: (name: string) => Destination | undefined;
  /** Why a destination may not be known, in words. */
  readonly unknown: (name: string) => string;
  /** The names of all that are known. */
  readonly destinations: () => readonly string[];
  readonly endpoints: (name: string) => Endpoints | undefined;
  /** The SPIFFE id of a workload; undefined: it has none yet. Throws a `UsageError` where nothing of that name is known. */
  readonly identityOf: (namespace: string, workload: string) => string | undefined;
  /** Where a route's retry, timeout and faults come from; a kind that is absent has no policy, or it is not known. */
  readonly policiesOf: (destination: Destination, route: Route, port: number) => PolicyNames;
  /** The workloads behind a backend, as far as they are known. */
  readonly serversOf: (backend: WeightedBackend) => readonly KnownServer[];
  /** Of an endpoint as it is now; undefined: nobody has said. */
  readonly breakerState?: (endpoints: string, address: string) => BreakerState | undefined;
}

export type PolicyNames = Readonly<Partial<Record<PolicyKind, string>>>;

export type BreakerState = "closed" | "open" | "half-open";

/** A workload, and what holds at the port that is asked. */
export interface KnownServer {
  readonly workload: string;
  readonly port: number;
  readonly policies: PortPolicies;
  /** `namespace/name` of the pods that go by this, where others of the workload go by something else. */
  readonly pods?: readonly string[];
}
