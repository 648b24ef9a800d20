/**
 * The three kinds of resource that the control plane compiles and a sidecar is pushed.
 * They are the compiled form: names are full, lists are sorted, every default is filled in; equal means nothing changed.
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

/** How bytes on a port are to be read. `detect`: by the first bytes of each connection. */
export type Protocol = "http1" | "http2" | "grpc" | "tls" | "opaque" | "detect";

export interface ServiceRef {
  readonly namespace: string;
  readonly name: string;
}

/** What a pod's own sidecar needs: one per workload, or for a pod of its own where labels tell its pods apart. */
export interface Inbound {
  /** `namespace/workload`. */
  readonly name: string;
  /** Those that the pod declares or a Service leads to, sorted by port: what peers may dial. */
  readonly ports: readonly InboundPort[];
  /** Ports that only a policy names: plaintext reaches them too. Sorted by port; never empty. */
  readonly unlisted?: readonly InboundPort[];
  /** What holds for every port that is in neither list. */
  readonly elsewhere?: PortPolicies;
}

export interface InboundPort extends PortPolicies {
  /** The container port. */
  readonly port: number;
  readonly protocol: Protocol;
}

/** The server's policies that hold for a port. */
export interface PortPolicies {
  /** All that hold here, sorted by name; never empty. Absent: everyone may call. */
  readonly access?: readonly NamedAccessRules[];
  /** Plaintext is refused; absent: it is taken. */
  readonly mtls?: "strict";
  /** All that hold here, sorted by name; never empty. */
  readonly rateLimits?: readonly NamedRateLimits[];
  /** The one that holds here; absent: keys mean nothing. */
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

/** What callers in one namespace have made of a Service for themselves: it takes the place of `routes` whole (GEP-1426). */
export interface ConsumerRoutes {
  readonly namespace: string;
  readonly routes: readonly Route[];
}

export interface Route {
  /** Where it comes from: `default`, `TrafficSplit shop/catalog`, `HTTPRoute shop/orders rule 0`. */
  readonly name: string;
  /** A request matches if any of these does; an empty list matches all. */
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
  /** As the Destination's, for this route; absent: as there. */
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
  /** A filter that the mesh does not have: the request gets 500, since it must not be sent as if the filter were not there. */
  | { readonly kind: "unsupported"; readonly type: string };

/** Names in lower case. Applied in this order. */
export interface HeaderEdits {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** Instead of the whole path, or of the prefix that the route matched. The query stays. */
export interface PathRewrite {
  readonly kind: "full" | "prefix";
  readonly value: string;
}

/** Copies of some requests; their answers are dropped. */
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

/** Against the path in normal form; a prefix goes by whole segments. */
export interface PathMatch {
  readonly kind: "exact" | "prefix" | "regex";
  readonly value: string;
}

export interface ValueMatch {
  /** A header's name in lower case, or a query parameter's as it is. */
  readonly name: string;
  readonly kind: "exact" | "regex" | "present";
  readonly value: string;
}

export interface WeightedBackend {
  /** The name of its `Endpoints`. */
  readonly endpoints: string;
  readonly service: ServiceRef;
  /** At least 0; a share of the sum, which need not be 100. */
  readonly weight: number;
  /** Applied after those of the route, to requests that go here; never empty. */
  readonly filters?: readonly RouteFilter[];
  /** Why requests that fall here get 500; absent: it is a Service that may be used. */
  readonly invalid?: string;
}

/** A backend Service port: its endpoints, and the policies that hold for them whoever calls. */
export interface Endpoints {
  /** `catalog-v2.shop.svc.cluster.local:80`. */
  readonly name: string;
  readonly service: ServiceRef;
  readonly protocol: Protocol;
  readonly breaker?: CircuitBreakerPolicy;
  /** Absent: not every endpoint has a sidecar that knows requests by their key. */
  readonly idempotency?: KnownKeys;
  /** For how long an endpoint that is new gets less than its share, rising evenly; absent: it gets it at once. */
  readonly warmUpMs?: number;
  /** A caller has only the endpoints of its own node (`internalTrafficPolicy: Local`). */
  readonly nodeLocal?: true;
  /** A calling pod stays at one endpoint until it has not called for this long (`sessionAffinity: ClientIP`). */
  readonly affinityMs?: number;
  /** Sorted by address. */
  readonly endpoints: readonly Endpoint[];
}

/** What callers may rely on: requests of these methods that carry an `Idempotency-Key` are processed once. */
export interface KnownKeys {
  /** Sorted; never empty. */
  readonly methods: readonly string[];
  /** `memory`: only the endpoint that has processed a request knows it again. */
  readonly store: AnswerStore;
}

export interface Endpoint {
  /** `podIP:containerPort`. */
  readonly address: string;
  /** The pod's name. */
  readonly pod: string;
  /** The SPIFFE id that its sidecar must present; absent: the pod is not in the mesh and is dialled in the clear. */
  readonly identity?: string;
  /** `terminating` endpoints get no new requests while another is ready. */
  readonly state: "ready" | "terminating";
  readonly node?: string;
  readonly zone?: string;
  /** The zones whose callers are to prefer it, sorted (the hints of an EndpointSlice); never empty. */
  readonly forZones?: readonly string[];
  /** The nodes whose callers are to prefer it, sorted; never empty. */
  readonly forNodes?: readonly string[];
}

/** By kind, as they travel. */
export type Resource =
  | { readonly kind: "inbound"; readonly value: Inbound }
  | { readonly kind: "destination"; readonly value: Destination }
  | { readonly kind: "endpoints"; readonly value: Endpoints };

export type ResourceKind = Resource["kind"];
