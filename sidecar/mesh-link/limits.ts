/** The largest head on a link, for both of its ends. */

/**
 * More than any listener, or any codec towards an application, accepts: what one of these has accepted must not be refused in
 * between. The sidecars add fields of their own (target, trace, deadline), and HTTP/2 counts 32 more octets per field.
 */
export const linkHeadLimits = { maxHeadBytes: 40 * 1024, maxHeaderFields: 128 } as const;
