/** The order in which routes are tried. */

import type { Route, RouteMatch } from "./resources.ts";

/**
 * Gateway API's precedence among the matches of all routes of a service: exact path, regular expression, prefix, the longer
 * first in each; then a method; then more headers; then more query parameters. (Where a regular expression stands is left
 * to implementations: before prefixes, as it is written for the special case.) Ties keep the order given, which is by age,
 * then name, then the rule's place.
 *
 * Matches of one route may come apart, so each becomes a route of its own; they keep the name.
 */
export function sortRoutes(routes: readonly Route[]): Route[] {
  return routes
    .flatMap((route) => (route.matches.length === 0 ? [{}] : route.matches).map((match) => single(route, match)))
    .sort((a, b) => compareMatches(a.matches[0] ?? {}, b.matches[0] ?? {}));
}

/** Negative: `a` goes first. */
export function compareMatches(a: RouteMatch, b: RouteMatch): number {
  return (
    pathRank(b) - pathRank(a) ||
    pathLength(b) - pathLength(a) ||
    Number(b.method !== undefined) - Number(a.method !== undefined) ||
    (b.headers?.length ?? 0) - (a.headers?.length ?? 0) ||
    (b.query?.length ?? 0) - (a.query?.length ?? 0)
  );
}

function single(route: Route, match: RouteMatch): Route {
  const { matches: _, ...rest } = route;
  return { ...rest, matches: Object.keys(match).length === 0 ? [] : [match] };
}

function pathRank(match: RouteMatch): number {
  switch (match.path?.kind) {
    case "exact":
      return 2;
    case "regex":
      return 1;
    case "prefix":
    case undefined:
      return 0;
  }
}

/** No path is the prefix `/`. */
function pathLength(match: RouteMatch): number {
  return match.path?.value.length ?? 1;
}
