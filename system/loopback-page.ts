/**
 * Pages for debugging a process, from its own machine or its own pod: in a cluster, for those who may forward a port of this
 * very pod (`pods/portforward`).
 *
 * A browser on a developer's machine, and a tricked application in this pod, can also send requests to loopback. So a page
 * requires a header field that neither sends by itself, and a Host that is a loopback address (against DNS rebinding).
 */

import { isIPv4 } from "node:net";
import { type Page, type PageMaker, type PageRequest, plainPage } from "./page.ts";

export const debugField = "tulle-debug";

/** Also accepts an IPv4 address in IPv6 notation, as dual-stack sockets report it. */
export function isLoopback(address: string): boolean {
  const host = address.replace(/^::ffff:/, "");
  return host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

export function forDebugging<P>(page: (query: URLSearchParams, request: PageRequest) => P | Page): PageMaker<P | Page> {
  return (request) => {
    const { localAddress, remoteAddress } = request;
    if (!isLoopback(localAddress) || !isLoopback(remoteAddress)) return plainPage(403, "only on loopback");
    const host = hostOf(request.authority);
    if (!isLoopback(host) && host !== "localhost") return plainPage(421, `reached as ${host}: by its address only`);
    if (request.header(debugField) === undefined)
      return plainPage(403, `it takes a field ${debugField}, with any value`);
    return page(new URL(request.target, "http://localhost").searchParams, request);
  };
}

/** The host without its port, and an IPv6 address without its brackets. */
function hostOf(authority: string): string {
  const host = authority.replace(/:\d*$/, "");
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
