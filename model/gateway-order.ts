/** In which order the rules of several routes on one Service are tried. */

import type { GatewayRoute, RouteRule, RuleMatch } from "./gateway-route.ts";
import { compareGrpcMethods } from "./grpc-match.ts";
import type { RouteMatch } from "./resources.ts";
import { compareMatches } from "./route-order.ts";

/** One match of a rule, on its own: matches of a rule may have to stand apart. */
export interface OrderedMatch {
  readonly route: GatewayRoute;
  readonly rule: RouteRule;
  /** The rule's place in its route, from 0. */
  readonly ruleIndex: number;
  /** Without a condition: all requests. */
  readonly match: RouteMatch;
}

/**
 * Gateway API's precedence over routes of one kind: the more specific match first, whoever's it is (see `compareMatches`,
 * and `compareGrpcMethods` for gRPC); then the older route; then by namespace and name; then the rule's place.
 */
export function orderMatches(routes: readonly GatewayRoute[]): OrderedMatch[] {
  const candidates = routes.toSorted(compareRoutes).flatMap((route) =>
    route.rules.flatMap((rule, ruleIndex) =>
      (rule.matches.length === 0 ? [{}] : rule.matches).map((match: RuleMatch) => ({
        route,
        rule,
        ruleIndex,
        match,
      })),
    ),
  );
  return candidates
    .sort((a, b) => compareSpecificity(a.route.kind, a.match, b.match))
    .map((candidate) => ({ ...candidate, match: withoutGrpc(candidate.match) }));
}

function withoutGrpc(match: RuleMatch): RouteMatch {
  const { grpc, ...rest } = match;
  return grpc === undefined ? match : rest;
}

function compareSpecificity(kind: GatewayRoute["kind"], a: RuleMatch, b: RuleMatch): number {
  if (kind === "HTTPRoute") return compareMatches(a, b);
  return compareGrpcMethods(a.grpc, b.grpc) || (b.headers?.length ?? 0) - (a.headers?.length ?? 0);
}

/** Negative: `a` is the older; without ages by `namespace/name`. */
export function compareRoutes(a: GatewayRoute, b: GatewayRoute): number {
  const age = (a.createdAtUnixMs ?? 0) - (b.createdAtUnixMs ?? 0);
  if (age !== 0) return age;
  const nameA = `${a.namespace}/${a.name}`;
  const nameB = `${b.namespace}/${b.name}`;
  return nameA < nameB ? -1 : Number(nameA > nameB);
}
