/**
 * Finds the route of a request. The table is compiled once per update; the first route that matches wins, and `sortRoutes`
 * puts routes into Gateway API's order of precedence beforehand.
 */

import { normalizePath } from "./path.ts";
import { PathIndex } from "./path-index.ts";
import { pathTest } from "./path-match.ts";
import { compileRegex, type Regex } from "./regex.ts";
import type { PathMatch, Route, RouteMatch, ValueMatch } from "./resources.ts";

/** Header fields by lower-case name. */
export interface HeaderLookup {
  all(name: string): readonly string[];
}

/** The properties of a request that a route can match. */
export interface RequestView {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  /** What follows `?`, or empty. */
  readonly query: string;
  readonly headers: HeaderLookup;
}

/** The path, normalised when the first route asks for it; likewise the query's parameters. */
interface Subject extends RequestView {
  normalPath: string | undefined;
  parameters: URLSearchParams | undefined;
}

type Condition = (subject: Subject) => boolean;

/** One match of a route. */
interface Rule {
  readonly order: number;
  readonly route: Route;
  /** All must hold. Exact and prefix paths are not among them, since the index has matched those. */
  readonly conditions: readonly Condition[];
}

export class RouteTable {
  /** The route of every request, if the first route has no condition; undefined: it depends. */
  readonly routeOfAll: Route | undefined;
  readonly #index = new PathIndex<Rule>();
  readonly #asksForPath: boolean;

  /**
   * A pattern that does not compile matches nothing: parsers refuse it, and a route must not take what it was not meant
   * for.
   */
  constructor(routes: readonly Route[]) {
    const [first] = routes;
    this.routeOfAll = first !== undefined && takesAll(first) ? first : undefined;
    this.#asksForPath = routes.some(({ matches }) => matches.some(({ path }) => path !== undefined));
    for (const [order, route] of routes.entries()) {
      for (const match of route.matches.length === 0 ? [{}] : route.matches) {
        this.#index.add(match.path, { order, route, conditions: conditionsBesidesPath(match) });
      }
    }
  }

  match(request: RequestView): Route | undefined {
    if (this.routeOfAll !== undefined) return this.routeOfAll;
    const subject = subjectOf(request);
    const path = this.#asksForPath ? normalPathOf(subject) : "/";
    return this.#index.find(path, ruleHolds, subject)?.route;
  }
}

function takesAll({ matches }: Route): boolean {
  return matches.length === 0 || matches.some(asksForNothing);
}

function asksForNothing(match: RouteMatch): boolean {
  const { path } = match;
  const anyPath = path === undefined || (path.kind === "prefix" && normalizePath(path.value).path === "/");
  return anyPath && otherConditions(match).length === 0;
}

function ruleHolds(rule: Rule, subject: Subject): boolean {
  return allHold(rule.conditions, subject);
}

/** A test of whether one of `matches` holds; an empty list holds for all. */
export function compileMatches(matches: readonly RouteMatch[]): (request: RequestView) => boolean {
  if (matches.length === 0) return always;
  const compiled = matches.map(conditionsOf);
  return (request) => {
    const subject = subjectOf(request);
    return compiled.some((conditions) => allHold(conditions, subject));
  };
}

function subjectOf(request: RequestView): Subject {
  return {
    method: request.method,
    path: request.path,
    query: request.query,
    headers: request.headers,
    normalPath: undefined,
    parameters: undefined,
  };
}

function allHold(conditions: readonly Condition[], subject: Subject): boolean {
  for (const condition of conditions) if (!condition(subject)) return false;
  return true;
}

function conditionsOf(match: RouteMatch): Condition[] {
  const rest = otherConditions(match);
  return match.path === undefined ? rest : [pathCondition(match.path), ...rest];
}

function conditionsBesidesPath(match: RouteMatch): Condition[] {
  return match.path?.kind === "regex" ? conditionsOf(match) : otherConditions(match);
}

function otherConditions({ method, headers = [], query = [] }: RouteMatch): Condition[] {
  const conditions = [...headers.map(headerCondition), ...query.map(queryCondition)];
  return method === undefined ? conditions : [(subject) => subject.method === method, ...conditions];
}

function pathCondition(path: PathMatch): Condition {
  const test = pathTest(path, false);
  return (subject) => test(normalPathOf(subject));
}

function normalPathOf(subject: Subject): string {
  subject.normalPath ??= normalizePath(subject.path).path;
  return subject.normalPath;
}

/**
 * A field sent several times matches if one of its values does, or all of them joined by `, ` as RFC 9110, section 5.3
 * allows any hop to write them. So it does not matter which of the two spellings arrives.
 */
function headerCondition(match: ValueMatch): Condition {
  const { name } = match;
  const holds = valueTest(match);
  return (subject) => {
    const values = subject.headers.all(name);
    if (values.length === 0) return false;
    return values.some(holds) || (values.length > 1 && holds(values.join(", ")));
  };
}

/** Of a parameter given several times the first value counts, as Gateway API recommends. Names and values are decoded. */
function queryCondition(match: ValueMatch): Condition {
  const { name } = match;
  const holds = valueTest(match);
  return (subject) => {
    if (subject.query === "") return false;
    subject.parameters ??= new URLSearchParams(subject.query);
    const value = subject.parameters.get(name);
    return value !== null && holds(value);
  };
}

function valueTest(match: ValueMatch): (value: string) => boolean {
  switch (match.kind) {
    case "present":
      return always;
    case "exact":
      return (value) => value === match.value;
    case "regex": {
      const regex = regexOrNothing(match.value);
      return (value) => regex.matches(value);
    }
  }
}

function regexOrNothing(pattern: string): Regex {
  const regex = compileRegex(pattern);
  return regex.ok ? regex.value : { matches: () => false };
}

function always(): boolean {
  return true;
}
