/**
 * The three kinds of resource that the control plane compiles and pushes to sidecars. They are the compiled form: names are
 * complete, lists are sorted, every default is filled in, so that two equal resources are equal data.
 */

import type {
  AccessLog,
  AnswerStore,
  CircuitBreakerPolicy,
  FaultPolicy,
  NamedAccessRules,
  NamedIdempotencyRules,
  NamedRateLimits,
  RetryPolicy,
  Sticky,
  TimeoutPolicy,
} from "./policy.ts";

/** How to read the bytes on a port. `detect`: by the first bytes of each connection. */
export type Protocol = "http1" | "http2" | "grpc" | "tls" | "opaque" | "detect";

export interface ServiceRef {
  readonly namespace: string;
  readonly name: string;
}

/** What a pod's own sidecar needs. One per workload; a pod whose labels give it other policies has one of its own. */
export interface Inbound {
  /** `namespace/workload`. */
  readonly name: string;
  /** What peers may dial: the ports that the pod declares or a Service points to, sorted by port. */
  readonly ports: readonly InboundPort[];
  /** Ports that only a policy names; they can be reached in plaintext too. Sorted by port; never empty. */
  readonly unlisted?: readonly InboundPort[];
  /** The policies of every port that is in neither list. */
  readonly elsewhere?: PortPolicies;
}

export interface InboundPort extends PortPolicies {
  /** The container port. */
  readonly port: number;
  readonly protocol: Protocol;
}

/** The server's policies that apply to a port. */
export interface PortPolicies {
  /** All that apply here, sorted by name; never empty. Absent: everyone may call. */
  readonly access?: readonly NamedAccessRules[];
  /** Plaintext is refused; absent: it is accepted. */
  readonly mtls?: "strict";
  /** All that hold here, sorted by name; never empty. */
  readonly rateLimits?: readonly NamedRateLimits[];
  /** The one that applies here; absent: keys mean nothing. */
  readonly idempotency?: NamedIdempotencyRules;
  /** Absent: as the sidecar is set. */
  readonly accessLog?: AccessLog;
}

/** What a sidecar needs to send a request to one dialled address. */
export interface Destination {
  /** As dialled, in full: `orders.shop.svc.cluster.local:80`. */
  readonly name: string;
  readonly service: ServiceRef;
  readonly protocol: Protocol;
  /** The first match wins. */
  readonly routes: readonly Route[];
  /** Sorted by namespace; never empty. */
  readonly consumers?: readonly ConsumerRoutes[];
  /** The share of traces that are recorded, 0 to 1, where no caller has decided; absent: as the sidecar is set. */
  readonly samplingRatio?: number;
  /** Absent: as the sidecar is set. */
  readonly accessLog?: AccessLog;
}

/** Routes that one namespace has defined for its own callers: they replace `routes` completely (GEP-1426). */
export interface ConsumerRoutes {
  readonly namespace: string;
  readonly routes: readonly Route[];
}

export interface Route {
  /** Its origin: `default`, `TrafficSplit shop/catalog`, `HTTPRoute shop/orders rule 0`. */
  readonly name: string;
  /** A request matches if any of these does; an empty list matches everything. */
  readonly matches: readonly RouteMatch[];
  readonly backends: readonly WeightedBackend[];
  readonly retry?: RetryPolicy;
  readonly timeout: TimeoutPolicy;
  /** In the order in which they are applied; never empty. */
  readonly filters?: readonly RouteFilter[];
  /** Never empty. */
  readonly mirrors?: readonly RouteMirror[];
  readonly sticky?: Sticky;
  readonly fault?: FaultPolicy;
  /** For this route; absent: as for the Destination. The same goes for `accessLog`. */
  readonly samplingRatio?: number;
  readonly accessLog?: AccessLog;
}

/** What happens to a request or its answer on the way (Gateway API's HTTPRouteFilter). */
export type RouteFilter =
  | ({ readonly kind: "request-headers" | "response-headers" } & HeaderEdits)
  | {
      readonly kind: "redirect";
      readonly scheme?: string;
      readonly hostname?: string;
      readonly path?: PathRewrite;
      readonly port?: number;
      readonly status: number;
    }
  | { readonly kind: "rewrite"; readonly hostname?: string; readonly path?: PathRewrite }
  /** A filter that the mesh does not support. Requests get 500: they must not be sent as if the filter were not there. */
  | { readonly kind: "unsupported"; readonly type: string };

/** Applied in the order of the fields. Names are in lower case. */
export interface HeaderEdits {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** Replaces the whole path, or the prefix that the route matched. The query stays. */
export interface PathRewrite {
  readonly kind: "full" | "prefix";
  readonly value: string;
}

/** Copies of some requests are sent there; their responses are dropped. */
export interface RouteMirror {
  /** The name of its `Endpoints`. */
  readonly endpoints: string;
  readonly service: ServiceRef;
  /** 0 to 100. */
  readonly percent: number;
}

/** All given parts must match. */
export interface RouteMatch {
  readonly method?: string;
  readonly path?: PathMatch;
  readonly headers?: readonly ValueMatch[];
  readonly query?: readonly ValueMatch[];
}

/** Compared with the path in normal form; a prefix matches whole segments. */
export interface PathMatch {
  readonly kind: "exact" | "prefix" | "regex";
  readonly value: string;
}

export interface ValueMatch {
  /** A header's name in lower case, or a query parameter's as written. */
  readonly name: string;
  readonly kind: "exact" | "regex" | "present";
  readonly value: string;
}

export interface WeightedBackend {
  /** The name of its `Endpoints`. */
  readonly endpoints: string;
  readonly service: ServiceRef;
  /** A share of the sum of all weights, at least 0; the sum need not be 100. */
  readonly weight: number;
  /** Applied after the route's own, to requests that go to this backend; never empty. */
  readonly filters?: readonly RouteFilter[];
  /** Why requests that are assigned to this backend get 500; absent: it is usable. */
  readonly invalid?: string;
}

/** A Service port as a backend: its endpoints, and the policies that apply to them whoever calls. */
export interface Endpoints {
  /** `catalog-v2.shop.svc.cluster.local:80`. */
  readonly name: string;
  readonly service: ServiceRef;
  readonly protocol: Protocol;
  readonly breaker?: CircuitBreakerPolicy;
  /** Absent: not every endpoint has a sidecar that recognises requests by their key. */
  readonly idempotency?: KnownKeys;
  /** How long a new endpoint gets less than its full share, which rises evenly; absent: it gets it at once. */
  readonly warmUpMs?: number;
  /** Callers use only the endpoints on their own node (`internalTrafficPolicy: Local`). */
  readonly nodeLocal?: true;
  /** A calling pod stays with one endpoint until it has not called for this long (`sessionAffinity: ClientIP`). */
  readonly affinityMs?: number;
  /** Sorted by address. */
  readonly endpoints: readonly Endpoint[];
}

/** A promise to callers: requests with these methods that carry an `Idempotency-Key` are processed once. */
export interface KnownKeys {
  /** Sorted; never empty. */
  readonly methods: readonly string[];
  /** `memory`: only the endpoint that processed a request recognises a repeat. */
  readonly store: AnswerStore;
}

export interface Endpoint {
  /** `podIP:containerPort`. */
  readonly address: string;
  /** The pod's name. */
  readonly pod: string;
  /** The SPIFFE id that its sidecar must present; absent: the pod is not in the mesh and is dialled in the clear. */
  readonly identity?: string;
  /** `terminating` endpoints get no new requests while any other is ready. */
  readonly state: "ready" | "terminating";
  readonly node?: string;
  readonly zone?: string;
  /** The zones whose callers should prefer it (an EndpointSlice's hints), sorted; never empty. */
  readonly forZones?: readonly string[];
  /** The nodes whose callers should prefer it, sorted; never empty. */
  readonly forNodes?: readonly string[];
}

/** Any resource, with its kind, as it is pushed. */
export type Resource =
  | { readonly kind: "inbound"; readonly value: Inbound }
  | { readonly kind: "destination"; readonly value: Destination }
  | { readonly kind: "endpoints"; readonly value: Endpoints };

export type ResourceKind = Resource["kind"];
