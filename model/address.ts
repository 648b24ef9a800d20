/** `host:port` in its two halves. */

import net from "node:net";

/**
 * An IPv6 host must be in brackets, and nothing else may: without them nobody can tell its end from the port.
 * What is missing or not valid is empty (host) or undefined (port).
 */
export function splitAddress(address: string): { readonly host: string; readonly port: number | undefined } {
  const colon = address.lastIndexOf(":");
  const bracket = address.lastIndexOf("]");
  const hostPart = colon > bracket ? address.slice(0, colon) : address;
  const portPart = colon > bracket ? address.slice(colon + 1) : "";
  const port = /^\d{1,5}$/.test(portPart) ? Number(portPart) : 0;
  return { host: hostOf(hostPart), port: port > 0 && port < 65_536 ? port : undefined };
}

function hostOf(part: string): string {
  if (!/[[\]:]/.test(part)) return part;
  const inBrackets = part.startsWith("[") && part.endsWith("]") ? part.slice(1, -1) : "";
  return net.isIPv6(inBrackets) ? inBrackets : "";
}

/** The reverse: an IPv6 host gets its brackets. */
export function joinAddress(host: string, port: number): string {
  return isIpv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Compiling Node's expression for it takes 5 ms, which a start without IPv6 does not have. */
export function isIpv6(host: string): boolean {
  return host.includes(":") && net.isIPv6(host);
}

export function isLoopback(host: string): boolean {
  return host === "::1" || (net.isIPv4(host) && host.startsWith("127."));
}
