/**
 * Which route a request takes. The table is compiled once per update; the first route that matches wins, and `sortRoutes`
 * puts routes into Gateway API's order of precedence beforehand.
 */

import { normalizePath } from "./path.ts";
import { pathTest } from "./path-match.ts";
import { compileRegex, type Regex } from "./regex.ts";
import type { PathMatch, Route, RouteMatch, ValueMatch } from "./resources.ts";

/** Header fields by lower-case name. */
export interface HeaderLookup {
  all(name: string): readonly string[];
}

/** What a route can see of a request. */
export interface RequestView {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  /** What follows `?`, or empty. */
  readonly query: string;
  readonly headers: HeaderLookup;
}

/** The path a second time, normalised when the first route asks for it, and the query's parameters likewise. */
interface Subject extends RequestView {
  normalPath: string | undefined;
  parameters: URLSearchParams | undefined;
}

type Condition = (subject: Subject) => boolean;

interface Entry {
  readonly route: Route;
  /** Each a match of the route: all its conditions must hold. Empty: the route takes everything. */
  readonly matches: readonly (readonly Condition[])[];
}

export class RouteTable {
  readonly #entries: readonly Entry[];

  /** A pattern that does not compile matches nothing: parsers refuse it, and a route must not take what it was not meant for. */
  constructor(routes: readonly Route[]) {
    this.#entries = routes.map((route) => ({ route, matches: route.matches.map(conditionsOf) }));
  }

  match(request: RequestView): Route | undefined {
    const subject = subjectOf(request);
    for (const { route, matches } of this.#entries) {
      if (matches.length === 0) return route;
      for (const conditions of matches) if (allHold(conditions, subject)) return route;
    }
    return undefined;
  }
}

/** For a single question; who asks often keeps a `RouteTable`. */
export function matchRoute(routes: readonly Route[], request: RequestView): Route | undefined {
  return new RouteTable(routes).match(request);
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
  const conditions: Condition[] = [];
  const { method, path } = match;
  if (method !== undefined) conditions.push((subject) => subject.method === method);
  if (path !== undefined) conditions.push(pathCondition(path));
  for (const header of match.headers ?? []) conditions.push(headerCondition(header));
  for (const parameter of match.query ?? []) conditions.push(queryCondition(parameter));
  return conditions;
}

function pathCondition(path: PathMatch): Condition {
  if (path.kind === "prefix" && path.value === "/") return always;
  const test = pathTest(path, false);
  return (subject) => {
    subject.normalPath ??= normalizePath(subject.path).path;
    return test(subject.normalPath);
  };
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
