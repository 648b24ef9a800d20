/**
 * `Host` and the authority of a target: RFC 3986 §3.2.2 without what has two readings.
 *
 * No userinfo, no percent-encoding (no name in use needs it), no comma (two Hosts joined to a list look like that), no port 0
 * (nobody can dial it), and a host, without which a target of HTTP must be refused (RFC 9110 §4.2.1).
 */

const authorityPattern = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9\-._~!$&'()*+;=]+)(?::[0-9]{0,5})?$/;

/** The last authority found well-formed: consecutive requests usually name the same host. */
let lastAuthority: string | undefined;

/** Whether text is `host` or `host:port`. */
export function isAuthority(text: string): boolean {
  if (text === lastAuthority) return true;
  const port = authorityPattern.test(text) ? (portOf(text) ?? 80) : 0;
  if (port === 0 || port > 65_535) return false;
  lastAuthority = text;
  return true;
}

/** The index of the colon before the port, or -1. */
function portAt(authority: string): number {
  const colon = authority.lastIndexOf(":");
  return colon > authority.lastIndexOf("]") ? colon : -1;
}

/** The host without its port, lower case. */
export function hostOf(authority: string): string {
  const colon = portAt(authority);
  return (colon < 0 ? authority : authority.slice(0, colon)).toLowerCase();
}

/** The port, or undefined if there is none or an empty one. */
export function portOf(authority: string): number | undefined {
  const colon = portAt(authority);
  if (colon < 0 || colon === authority.length - 1) return undefined;
  return Number(authority.slice(colon + 1));
}

/** Same host, same port. */
export function sameAuthority(a: string, b: string, defaultPort: number): boolean {
  return hostOf(a) === hostOf(b) && (portOf(a) ?? defaultPort) === (portOf(b) ?? defaultPort);
}
