/**
 * HTTPRoute and GRPCRoute of Gateway API v1 (https://gateway-api.sigs.k8s.io/reference/spec/), with everything that a route on
 * a Service can have. The control plane resolves names and sets conditions.
 */

import type { GatewayRoute, RouteBackend, RouteParent, RouteRule, RuleMatch, RuleRetry } from "../gateway-route.ts";
import { grpcPath } from "../grpc-match.ts";
import type { RetryCondition } from "../policy.ts";
import type { RouteFilter, ValueMatch } from "../resources.ts";
import { err, type FieldError, ok, type Result } from "../result.ts";
import { backendRefFields, toBackendRef } from "./backend-ref.ts";
import { headerMatch, httpMethod, pathMatch, queryMatch } from "./match.ts";
import { readMetadata } from "./metadata.ts";
import { finalStatusProblem } from "./retry-policy.ts";
import { filters, type ParsedFilter } from "./route-filter.ts";
import { duration, integer, labelName, objectName, port, regex, text } from "./scalars.ts";
import { given, list, object, oneOf, Place, Schema, show } from "./schema.ts";

const gatewayGroup = "gateway.networking.k8s.io";
const hourMs = 3_600_000;

const parentRef = object({
  group: text({ minLength: 0, maxLength: 253 }).or(gatewayGroup),
  kind: text({ maxLength: 63 }).or("Gateway"),
  namespace: labelName().optional(),
  name: objectName(),
  sectionName: objectName().optional(),
  port: port().optional(),
}).map(({ group, kind, name, ...rest }): RouteParent => ({ group, kind, name, ...given(rest) }));

/** The API specifies that, if a name has several entries, the first counts. */
function firstOfEachName(matches: readonly ValueMatch[]): ValueMatch[] {
  return matches.filter(({ name }, index) => matches.findIndex((other) => other.name === name) === index);
}

const headers = list(headerMatch, { max: 16 }).map(firstOfEachName).or([]);

const httpMatch = object({
  path: pathMatch.optional(),
  method: httpMethod.optional(),
  headers,
  queryParams: list(queryMatch, { max: 16 }).map(firstOfEachName).or([]),
}).map(
  ({ path, method, headers, queryParams }): RuleMatch => ({
    ...given({ path, method }),
    ...(headers.length > 0 && { headers }),
    ...(queryParams.length > 0 && { query: queryParams }),
  }),
);

const grpcMethod = object({
  type: oneOf({ Exact: "exact", RegularExpression: "regex" }).or("exact"),
  service: text({ maxLength: 1024 }).optional(),
  method: text({ maxLength: 1024 }).optional(),
}).map(({ type: kind, service, method }, at) => {
  if ((service ?? method) === undefined) return at.field("service").fail("this or method or both are required");
  for (const [field, value] of Object.entries(given({ service, method }))) {
    if (kind === "regex") regex().read(value, at.field(field));
    else if (!/^[A-Za-z_][A-Za-z0-9_.]*$/.test(value)) at.field(field).fail(`must be a gRPC name, got ${show(value)}`);
  }
  return { kind, ...given({ service, method }) };
});

const grpcMatch = object({ method: grpcMethod.optional(), headers }).map(({ method, headers }): RuleMatch => {
  const path = method && grpcPath(method);
  return { ...given({ path, grpc: method }), ...(headers.length > 0 && { headers }) };
});

const retryCodes = ["429", "500", "502", "503", "504"] as const satisfies readonly RetryCondition[];

const retryCode = new Schema<RetryCondition>({ type: "integer" }, (value, at) => {
  const code = retryCodes.find((known) => known === `${String(value)}`);
  return code ?? at.fail(finalStatusProblem(value) ?? `must be one of ${retryCodes.join(", ")}, got ${show(value)}`);
});

const retry = object({
  codes: list(retryCode, { max: 16 })
    .map((codes): readonly RetryCondition[] => retryCodes.filter((code) => codes.includes(code)))
    .optional(),
  attempts: integer({ min: 0, max: 99 }).optional(),
  backoff: duration({ min: 0, max: hourMs }).optional(),
}).map(({ codes, attempts, backoff }): RuleRetry => given({ codes, attempts, backoffMs: backoff }));

const timeouts = object({
  request: duration({ min: 0, max: 24 * hourMs }).optional(),
  backendRequest: duration({ min: 0, max: 24 * hourMs }).optional(),
})
  .check({
    cel: "!has(self.request) || !has(self.backendRequest) || duration(self.backendRequest) <= duration(self.request)",
    says: "backendRequest must be at most request",
    field: "backendRequest",
    find: ({ request = 0, backendRequest = 0 }) =>
      request === 0 || backendRequest <= request ? undefined : "must be at most request",
  })
  .map(({ request, backendRequest }) => given({ requestMs: request, backendRequestMs: backendRequest }))
  .or({});

function backend(kind: GatewayRoute["kind"]): Schema<RouteBackend> {
  return object({
    ...backendRefFields,
    weight: integer({ min: 0, max: 1_000_000 }).or(1),
    filters: filters(kind),
  }).map(({ weight, filters, ...reference }, at): RouteBackend | undefined => {
    const backend = toBackendRef(reference, at);
    if (backend === undefined) return undefined;
    return { backend, weight, filters: filters.map(backendFilter) };
  });
}

/** Mirrors and redirects apply to whole rules; on a single backend they count as a filter that the mesh does not support. */
function backendFilter(filter: ParsedFilter): RouteFilter {
  switch (filter.kind) {
    case "mirror":
      return { kind: "unsupported", type: "RequestMirror" };
    case "redirect":
      return { kind: "unsupported", type: "RequestRedirect" };
    case "request-headers":
    case "response-headers":
    case "rewrite":
    case "unsupported":
      return filter;
  }
}

/** A field of the API's experimental channel: the status says that it has no effect, but the route is not refused. */
const unapplied = new Schema<true>({}, () => true).optional();

function rule(kind: GatewayRoute["kind"], match: Schema<RuleMatch>): Schema<RouteRule> {
  return object({
    name: objectName().optional(),
    matches: list(match, { max: 64 }).or([]),
    filters: filters(kind),
    backendRefs: list(backend(kind), { max: 16 }).or([]),
    timeouts,
    retry: retry.optional(),
    sessionPersistence: unapplied,
  }).map(
    ({ name, matches, filters, backendRefs, timeouts, retry, sessionPersistence }): RouteRule => ({
      ...given({ name, retry }),
      ...(sessionPersistence && { unapplied: ["sessionPersistence"] }),
      matches,
      filters: filters.filter((filter) => filter.kind !== "mirror"),
      mirrors: filters
        .filter((filter) => filter.kind === "mirror")
        .map(({ backend, percent }) => ({ backend, percent })),
      backends: backendRefs,
      timeouts,
    }),
  );
}

/** The API server's default for an HTTPRoute without rules. A GRPCRoute without rules takes no call. */
const takesAll: RouteRule = { matches: [], filters: [], mirrors: [], backends: [], timeouts: {} };

function spec(kind: GatewayRoute["kind"], match: Schema<RuleMatch>) {
  return object({
    parentRefs: list(parentRef, { max: 32 }).or([]),
    // Selects default Gateways; a Service is not one.
    useDefaultGateways: unapplied,
    hostnames: list(text({ maxLength: 253 }), { max: 16 }).or([]),
    rules: list(rule(kind, match), { max: 16 }).or(kind === "HTTPRoute" ? [takesAll] : []),
  });
}

const specs = { HTTPRoute: spec("HTTPRoute", httpMatch), GRPCRoute: spec("GRPCRoute", grpcMatch) };

/** Reads an object of either kind. An HTTPRoute without rules gets one that matches everything and has no backend. */
export function parseGatewayRoute(object: {
  readonly kind?: unknown;
  readonly metadata?: unknown;
  readonly spec?: unknown;
}): Result<GatewayRoute, FieldError[]> {
  const errors: FieldError[] = [];
  const root = new Place("", errors);
  const { kind } = object;
  if (kind !== "HTTPRoute" && kind !== "GRPCRoute") {
    return err([{ path: "kind", message: `must be one of HTTPRoute, GRPCRoute, got ${show(kind)}` }]);
  }
  const metadata = readMetadata(object.metadata, root.field("metadata"));
  const fields = specs[kind].read(object.spec, root.field("spec"));
  if (errors.length > 0 || fields === undefined) return err(errors);
  const { parentRefs: parents, hostnames, rules } = fields;
  return ok({ kind, ...metadata, parents, hostnames, rules });
}
