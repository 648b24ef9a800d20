/** Decodes a route's filters into the model, with checks. */

import type { HeaderEdits, PathRewrite, RouteFilter } from "../model/resources.ts";
import type { Faults } from "./faults.ts";
import type { HeaderEdits__Output } from "./generated/tulle/v1/HeaderEdits.ts";
import type { HeaderField__Output } from "./generated/tulle/v1/HeaderField.ts";
import type { PathRewrite__Output } from "./generated/tulle/v1/PathRewrite.ts";
import type { Redirect__Output } from "./generated/tulle/v1/Redirect.ts";
import type { RouteFilter__Output } from "./generated/tulle/v1/RouteFilter.ts";

export function decodeFilter(at: string, message: RouteFilter__Output, faults: Faults): RouteFilter {
  const { requestHeaders, responseHeaders, redirect, rewrite, unsupported } = message;
  if (requestHeaders)
    return { kind: "request-headers", ...decodeEdits(`${at}.requestHeaders`, requestHeaders, faults) };
  if (responseHeaders)
    return { kind: "response-headers", ...decodeEdits(`${at}.responseHeaders`, responseHeaders, faults) };
  if (redirect) return decodeRedirect(`${at}.redirect`, redirect, faults);
  if (rewrite) return { kind: "rewrite", ...decodeTarget(`${at}.rewrite`, rewrite, faults) };
  if (unsupported === undefined) faults.add(at, "must be of a known kind");
  return { kind: "unsupported", type: unsupported ?? "" };
}

function decodeEdits(at: string, message: HeaderEdits__Output, faults: Faults): HeaderEdits {
  const fields = (list: "set" | "add") =>
    message[list].map((field, i) => decodeField(`${at}.${list}[${i}]`, field, faults));
  const remove = message.remove.map((name, i) => faults.filled(`${at}.remove[${i}]`, name));
  return { set: fields("set"), add: fields("add"), remove };
}

function decodeField(at: string, { name, value }: HeaderField__Output, faults: Faults): readonly [string, string] {
  return [faults.filled(`${at}.name`, name), value];
}

function decodeRedirect(at: string, message: Redirect__Output, faults: Faults): RouteFilter {
  const { scheme, port, status } = message;
  return {
    kind: "redirect",
    ...(scheme !== undefined && { scheme: faults.filled(`${at}.scheme`, scheme) }),
    ...decodeTarget(at, message, faults),
    ...(port !== undefined && { port: faults.integer(`${at}.port`, port, 1, 65_535) }),
    status: faults.integer(`${at}.status`, status, 300, 399),
  };
}

interface Target {
  readonly hostname?: string;
  readonly path?: PathRewrite;
}

function decodeTarget(
  at: string,
  { hostname, path }: { hostname?: string; path?: PathRewrite__Output | null },
  faults: Faults,
): Target {
  return {
    ...(hostname !== undefined && { hostname: faults.filled(`${at}.hostname`, hostname) }),
    ...(path && { path: decodeRewrite(`${at}.path`, path, faults) }),
  };
}

function decodeRewrite(at: string, message: PathRewrite__Output, faults: Faults): PathRewrite {
  if (message.rewrite === undefined) faults.add(at, "must be a full or prefix rewrite");
  const kind = message.rewrite ?? "full";
  return { kind, value: message[kind] ?? "" };
}
