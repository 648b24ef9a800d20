/** Which protocols a request may ask to switch to, by `Upgrade` or by extended CONNECT: used by both codecs. */

/** RFC 9110 §7.8: a name, and optionally a version. */
const protocolPattern = /^[!#$%&'*+.^_`|~0-9a-z-]+(?:\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/;

/**
 * The protocol in lower case, since names are case-insensitive; undefined if the text is not a protocol's name, or is `h2c`,
 * whatever its version: behind a proxy that reads only HTTP/1.1 it would be a tunnel past every rule, and RFC 9113 has dropped
 * it.
 */
export function upgradeProtocol(text: string): string | undefined {
  const protocol = text.toLowerCase();
  return protocolPattern.test(protocol) && !/^h2c(?:\/|$)/.test(protocol) ? protocol : undefined;
}

/**
 * A successful response that does not switch (RFC 9110 §7.8: a server may ignore `Upgrade`) can't be expressed in extended
 * CONNECT, where each 2xx switches. HTTP/2 carries it as 501, RFC 9220's status for a protocol that is not supported, with its
 * own status in this field.
 */
export const declinedUpgrade = { status: "501", field: "tulle-status" } as const;
