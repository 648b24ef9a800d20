/** How large a head may be on a link, for both of its ends. */

/**
 * More than any listener and any codec towards an application lets in: what one of them has taken must not be refused in the
 * middle. The sidecars add fields of their own (target, trace, deadline), and HTTP/2 counts 32 octets more for each field.
 */
export const linkHeadLimits = { maxHeadBytes: 40 * 1024, maxHeaderFields: 128 } as const;
