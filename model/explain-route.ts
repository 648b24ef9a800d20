/**
 * Why a request takes its route. `RouteTable` finds the route, and each condition is tested by the code that the table is
 * made of, so an explanation is the decision itself, in more words. Not for the hot path.
 */

import type { Route, RouteMatch, ValueMatch } from "./resources.ts";
import { compileMatches, type RequestView, RouteTable } from "./route-match.ts";

/** One match of one route, and how the request fared with it. */
export interface ExplainedMatch {
  readonly route: string;
  /** What it requires, `path /v1, header x-canary: 1`; empty: it matches everything. */
  readonly asks: string;
  /** `later`: it matches, but another one before it matches too. */
  readonly verdict: "taken" | "later" | "unmet";
  /** What the request lacks, in words; empty unless `unmet`. */
  readonly unmet: readonly string[];
}

export interface ExplainedRoute {
  readonly taken: Route | undefined;
  /** In the order in which they are tried. */
  readonly matches: readonly ExplainedMatch[];
}

export function explainRoute(routes: readonly Route[], request: RequestView): ExplainedRoute {
  const taken = new RouteTable(routes).match(request);
  let decided = false;
  const matches = routes.flatMap((route) =>
    (route.matches.length === 0 ? [{}] : route.matches).map((match): ExplainedMatch => {
      const conditions = conditionsOf(match);
      const unmet = conditions
        .filter(({ alone }) => !compileMatches([alone])(request))
        .map(({ lack }) => lack(request));
      const asks = conditions.map((condition) => condition.asks).join(", ");
      if (unmet.length > 0) return { route: route.name, asks, verdict: "unmet", unmet };
      const verdict = decided || route !== taken ? "later" : "taken";
      decided = true;
      return { route: route.name, asks, verdict, unmet };
    }),
  );
  return { taken, matches };
}

interface DescribedCondition {
  /** The match reduced to this condition. */
  readonly alone: RouteMatch;
  readonly asks: string;
  readonly lack: (request: RequestView) => string;
}

function conditionsOf({ method, path, headers = [], query = [] }: RouteMatch): DescribedCondition[] {
  const conditions: DescribedCondition[] = [];
  if (method !== undefined) {
    const asks = `method ${method}`;
    conditions.push({ alone: { method }, asks, lack: (request) => `the method is ${request.method}, not ${method}` });
  }
  if (path !== undefined) {
    const asks = path.kind === "exact" ? `path = ${path.value}` : `path ${verbs[path.kind]} ${path.value}`;
    conditions.push({ alone: { path }, asks, lack: (request) => `the path is ${request.path}, it asks for ${asks}` });
  }
  for (const header of headers) {
    const lack = ({ headers: sent }: RequestView) => lackOf("header", header, sent.all(header.name));
    conditions.push({ alone: { headers: [header] }, asks: asksFor("header", header), lack });
  }
  for (const parameter of query) {
    const lack = (request: RequestView) =>
      lackOf("query parameter", parameter, new URLSearchParams(request.query).getAll(parameter.name).slice(0, 1));
    conditions.push({ alone: { query: [parameter] }, asks: asksFor("query parameter", parameter), lack });
  }
  return conditions;
}

const verbs = { prefix: "under", regex: "like" } as const;

function asksFor(what: string, { name, kind, value }: ValueMatch): string {
  if (kind === "present") return `${what} ${name}`;
  return `${what} ${name} ${kind === "exact" ? "=" : "like"} ${value}`;
}

function lackOf(what: string, match: ValueMatch, sent: readonly string[]): string {
  const found = sent.length === 0 ? "absent" : sent.join(", ");
  return `${what} ${match.name} is ${found}, it asks for ${asksFor(what, match)}`;
}
