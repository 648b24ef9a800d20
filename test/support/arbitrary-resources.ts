/** Valid resources of all kinds, for property tests. */

import fc from "fast-check";
import type {
  CallerMatch,
  CircuitBreakerPolicy,
  FailureKind,
  FaultPolicy,
  RateLimit,
  RetryCondition,
  RetryPolicy,
  TimeoutPolicy,
} from "../../model/policy.ts";
import type {
  Destination,
  Endpoint,
  Endpoints,
  Inbound,
  InboundPort,
  PortPolicies,
  Protocol,
  Resource,
  Route,
  RouteFilter,
  RouteMatch,
  ValueMatch,
  WeightedBackend,
} from "../../model/resources.ts";
import { failureKinds, protocols, retryConditions } from "../../proto/enums.ts";

const text = fc.string({ minLength: 1, maxLength: 20 });
const ms = fc.nat(1_000_000_000_000);
const positiveMs = fc.integer({ min: 1, max: 1_000_000_000_000 });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const positive = fc.double({ min: 1, max: 1_000, noNaN: true });
const protocol = fc.constantFrom(...(Object.keys(protocols) as Protocol[]));
const service = fc.record({ namespace: text, name: text });

/** The fields in `required` are always present, the others sometimes absent, and none is undefined. */
function some<T, R extends keyof T>(
  fields: { [K in keyof T]-?: fc.Arbitrary<Exclude<T[K], undefined>> },
  required: R[],
) {
  return fc.record(fields, { requiredKeys: required, noNullPrototype: true }) as unknown as fc.Arbitrary<T>;
}

const timeout = some<TimeoutPolicy, never>({ requestMs: ms, perTryMs: ms, idleMs: ms, connectMs: ms }, []);

const retry = some<RetryPolicy, Exclude<keyof RetryPolicy, "perTryTimeoutMs">>(
  {
    maxAttempts: fc.integer({ min: 1, max: 100 }),
    initialDelayMs: ms,
    backoffMultiplier: positive,
    maxDelayMs: ms,
    jitter: share,
    perTryTimeoutMs: ms,
    retryOn: fc.subarray(Object.keys(retryConditions) as RetryCondition[]),
    budget: fc.record({ percent: positive, windowMs: ms, minRetriesPerSecond: share }, { noNullPrototype: true }),
    retryNonIdempotent: fc.boolean(),
  },
  [
    "maxAttempts",
    "initialDelayMs",
    "backoffMultiplier",
    "maxDelayMs",
    "jitter",
    "retryOn",
    "budget",
    "retryNonIdempotent",
  ],
);

const breaker = some<
  CircuitBreakerPolicy,
  Exclude<keyof CircuitBreakerPolicy, "maxOpenDurationMs" | "maxRequests" | "maxConnections" | "maxPendingRequests">
>(
  {
    scope: fc.constantFrom("endpoint", "service"),
    failureThreshold: fc.integer({ min: 1, max: 1_000 }),
    failureWindowMs: ms,
    count: fc.constantFrom("consecutive", "window"),
    openDurationMs: ms,
    maxOpenDurationMs: ms,
    successThreshold: fc.integer({ min: 1, max: 1_000 }),
    maxOpenPercent: fc.double({ min: 0, max: 100, noNaN: true }),
    failures: fc.subarray(Object.keys(failureKinds) as FailureKind[]),
    maxRequests: fc.nat(),
    maxConnections: fc.nat(),
    maxPendingRequests: fc.nat(),
  },
  [
    "scope",
    "failureThreshold",
    "failureWindowMs",
    "count",
    "openDurationMs",
    "successThreshold",
    "maxOpenPercent",
    "failures",
  ],
);

const valueMatch: fc.Arbitrary<ValueMatch> = fc.oneof(
  fc.record({ name: text, kind: fc.constantFrom("exact" as const, "regex" as const), value: fc.string() }),
  fc.record({ name: text, kind: fc.constant("present" as const), value: fc.constant("") }),
);
const valueMatches = fc.array(valueMatch, { minLength: 1, maxLength: 3 });

const pathMatch = fc.record({
  kind: fc.constantFrom("exact" as const, "prefix" as const, "regex" as const),
  value: fc.string(),
});

const match = some<RouteMatch, never>(
  {
    method: text,
    path: pathMatch,
    headers: valueMatches,
    query: valueMatches,
  },
  [],
);

const port = fc.integer({ min: 1, max: 65_535 });

const rewritePath = fc.record({ kind: fc.constantFrom("full" as const, "prefix" as const), value: fc.string() });
const field = fc.tuple(text, fc.string());

type FilterOf<K extends RouteFilter["kind"]> = Extract<RouteFilter, { kind: K }>;

const filter: fc.Arbitrary<RouteFilter> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("request-headers" as const, "response-headers" as const),
    set: fc.array(field, { maxLength: 2 }),
    add: fc.array(field, { maxLength: 2 }),
    remove: fc.array(text, { maxLength: 2 }),
  }),
  some<FilterOf<"redirect">, "kind" | "status">(
    {
      kind: fc.constant("redirect" as const),
      scheme: text,
      hostname: text,
      path: rewritePath,
      port,
      status: fc.constantFrom(301, 302),
    },
    ["kind", "status"],
  ),
  some<FilterOf<"rewrite">, "kind">({ kind: fc.constant("rewrite" as const), hostname: text, path: rewritePath }, [
    "kind",
  ]),
  fc.record({ kind: fc.constant("unsupported" as const), type: text }),
);
const filters = fc.array(filter, { minLength: 1, maxLength: 3 });

const mirror = fc.record({ endpoints: text, service, percent: fc.double({ min: 0, max: 100, noNaN: true }) });

const backend = some<WeightedBackend, "endpoints" | "service" | "weight">(
  { endpoints: text, service, weight: fc.nat(1_000_000), filters, invalid: text },
  ["endpoints", "service", "weight"],
);

const percent = fc.double({ min: 0, max: 100, noNaN: true });

const fault = some<FaultPolicy, "untilUnixMs" | "matches">(
  {
    untilUnixMs: ms,
    matches: fc.array(match, { maxLength: 2 }),
    delay: fc.record({ delayMs: ms, percent }),
    abort: fc.oneof(
      fc.record({ kind: fc.constant("http" as const), status: fc.integer({ min: 400, max: 599 }), percent }),
      fc.record({ kind: fc.constant("grpc" as const), status: fc.integer({ min: 1, max: 16 }), percent }),
    ),
  },
  ["untilUnixMs", "matches"],
);

const accessLog = fc.record({
  requests: fc.constantFrom("none" as const, "errors" as const, "all" as const),
  ratio: share,
});

const route = some<Route, "name" | "matches" | "backends" | "timeout">(
  {
    name: text,
    matches: fc.array(match, { maxLength: 3 }),
    backends: fc.array(backend, { maxLength: 3 }),
    retry,
    timeout,
    filters,
    mirrors: fc.array(mirror, { minLength: 1, maxLength: 2 }),
    fault,
    samplingRatio: share,
    accessLog,
    sticky: fc.record({ by: fc.constantFrom("header" as const, "cookie" as const), name: text }),
  },
  ["name", "matches", "backends", "timeout"],
);

const endpoint = some<Endpoint, "address" | "pod" | "state">(
  {
    address: fc.oneof(
      fc.tuple(fc.ipV4(), port).map(([ip, port]) => `${ip}:${port}`),
      fc.tuple(fc.ipV6(), port).map(([ip, port]) => `[${ip}]:${port}`),
    ),
    pod: text,
    identity: text,
    state: fc.constantFrom("ready", "terminating"),
    node: fc.string(),
    zone: fc.string(),
    forZones: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
    forNodes: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
  },
  ["address", "pod", "state"],
);

const namespaceCaller = some<Extract<CallerMatch, { kind: "namespace" }>, "kind" | "namespace">(
  { kind: fc.constant("namespace" as const), namespace: text, trustDomain: text },
  ["kind", "namespace"],
);

const caller: fc.Arbitrary<CallerMatch> = fc.oneof(
  fc.record({ kind: fc.constant("identity" as const), id: text }),
  namespaceCaller,
  fc.record({ kind: fc.constant("trust-domain" as const), trustDomain: text }),
);

const accessRule = fc.record({
  from: fc.array(caller, { maxLength: 3 }),
  methods: fc.array(text, { maxLength: 2 }),
  paths: fc.array(pathMatch, { maxLength: 2 }),
});

const access = fc.record({
  name: text,
  action: fc.constantFrom("allow" as const, "deny" as const),
  mode: fc.constantFrom("enforce" as const, "audit" as const),
  rules: fc.array(accessRule, { maxLength: 3 }),
});

const count = fc.integer({ min: 1, max: 1_000_000_000 });

const rateLimit: fc.Arbitrary<RateLimit> = fc.record({
  requests: count,
  perMs: count,
  burst: count,
  by: fc.constantFrom("all" as const, "client" as const),
  matches: fc.array(match, { maxLength: 2 }),
});

const rateLimits = fc.record({ name: text, limits: fc.array(rateLimit, { minLength: 1, maxLength: 2 }) });

const store = fc.constantFrom("memory" as const, "redis" as const);
const methods = fc.array(text, { minLength: 1, maxLength: 2 });

const idempotency = fc.record({
  name: text,
  methods,
  required: fc.boolean(),
  ttlMs: ms,
  maxAnswerBytes: fc.nat(),
  store,
  onStoreFailure: fc.constantFrom("reject" as const, "allow" as const),
});

const portPolicies = {
  access: fc.array(access, { minLength: 1, maxLength: 3 }),
  mtls: fc.constant("strict" as const),
  rateLimits: fc.array(rateLimits, { minLength: 1, maxLength: 2 }),
  idempotency,
  accessLog,
};

const inboundPort = some<InboundPort, "port" | "protocol">({ port, protocol, ...portPolicies }, ["port", "protocol"]);

const inbound = some<Inbound, "name" | "ports">(
  {
    name: text,
    ports: fc.array(inboundPort, { maxLength: 3 }),
    unlisted: fc.array(inboundPort, { minLength: 1, maxLength: 2 }),
    elsewhere: some<PortPolicies, never>(portPolicies, []),
  },
  ["name", "ports"],
);

const routes = fc.array(route, { maxLength: 4 });

const destination = some<Destination, "name" | "service" | "protocol" | "routes">(
  {
    name: text,
    service,
    protocol,
    routes,
    samplingRatio: share,
    accessLog,
    consumers: fc.array(fc.record({ namespace: text, routes }), { minLength: 1, maxLength: 2 }),
  },
  ["name", "service", "protocol", "routes"],
);

const endpoints = some<Endpoints, "name" | "service" | "protocol" | "endpoints">(
  {
    name: text,
    service,
    protocol,
    breaker,
    idempotency: fc.record({ methods, store }),
    warmUpMs: positiveMs,
    nodeLocal: fc.constant(true as const),
    affinityMs: positiveMs,
    endpoints: fc.array(endpoint),
  },
  ["name", "service", "protocol", "endpoints"],
);

export const arbitraryResource: fc.Arbitrary<Resource> = fc.oneof(
  inbound.map((value): Resource => ({ kind: "inbound", value })),
  destination.map((value): Resource => ({ kind: "destination", value })),
  endpoints.map((value): Resource => ({ kind: "endpoints", value })),
);
