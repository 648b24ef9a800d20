/** What a route's filters make of a request: pure, for the layer that applies them and for who explains it. */

import { normalizePath, pathOf } from "./path.ts";
import { hasPathPrefix } from "./path-match.ts";
import type { HeaderEdits, PathRewrite, Route, RouteFilter } from "./resources.ts";

/** The fields of a section that is edited in place, names in lower case. */
export interface EditableHeaders {
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  remove(name: string): void;
}

export function editHeaders(headers: EditableHeaders, { set, add, remove }: HeaderEdits): void {
  for (const [name, value] of set) headers.set(name, value);
  for (const [name, value] of add) headers.append(name, value);
  for (const name of remove) headers.remove(name);
}

/** The prefix that a route matched by, for `ReplacePrefixMatch`; `/` where it has none. The route has one match, see `sortRoutes`. */
export function matchedPrefix(route: Route): string {
  const path = route.matches[0]?.path;
  return path?.kind === "prefix" ? path.value : "/";
}

/**
 * The target with its path rewritten; its query stays. Of a prefix only whole segments are replaced, and slashes at the seam
 * are neither doubled nor lost: `/a` by `/x` makes `/x/b` of `/a/b`, and by `/` makes `/b`.
 */
export function rewriteTarget(target: string, rewrite: PathRewrite, prefix: string): string {
  const raw = pathOf(target);
  const query = target.slice(raw.length);
  if (rewrite.kind === "full") return (rewrite.value || "/") + query;
  const bare = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  // As sent where that has the prefix, else what the route saw of it: `//a/b` matched `/a` as well.
  const path = hasPathPrefix(raw, prefix) ? raw : normalizePath(raw).path;
  const rest = path.slice(bare.length);
  const seam = rewrite.value.endsWith("/") ? rewrite.value.slice(0, -1) : rewrite.value;
  return (seam + rest || "/") + query;
}

export interface RedirectedRequest {
  readonly scheme: "http" | "https";
  /** Host and port as the client wrote them. */
  readonly authority: string;
  readonly target: string;
}

/** The value of `Location`. A port is written only where the scheme does not imply it. */
export function redirectLocation(
  filter: Extract<RouteFilter, { kind: "redirect" }>,
  request: RedirectedRequest,
  prefix: string,
): string {
  const scheme = filter.scheme ?? request.scheme;
  const [, host = "", sentPort] = /^(.*?)(?::(\d+))?$/.exec(request.authority) ?? [];
  // A new scheme brings its own port, unless one is given.
  const port = filter.port ?? (filter.scheme === undefined && sentPort !== undefined ? Number(sentPort) : undefined);
  const target = filter.path === undefined ? request.target : rewriteTarget(request.target, filter.path, prefix);
  const shownPort = port === undefined || port === impliedPorts[scheme] ? "" : `:${port}`;
  return `${scheme}://${filter.hostname ?? host}${shownPort}${target}`;
}

const impliedPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };
