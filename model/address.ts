/** Splits and joins `host:port`. */

import net from "node:net";

/**
 * An IPv6 host must be in brackets and no other may be: without them it is unclear where the host ends and the port begins.
 * A missing or invalid host is empty, a missing or invalid port undefined.
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

/** The inverse: an IPv6 host gets its brackets. */
export function joinAddress(host: string, port: number): string {
  return isIpv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Avoids Node's own test: compiling its regular expression takes 5 ms, too long for a start without IPv6. */
export function isIpv6(host: string): boolean {
  return host.includes(":") && net.isIPv6(host);
}

export function isLoopback(host: string): boolean {
  return host === "::1" || (net.isIPv4(host) && host.startsWith("127."));
}
