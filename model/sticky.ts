/** The key that keeps a client at one backend. */

import type { Sticky } from "./policy.ts";
import type { HeaderLookup } from "./route-match.ts";

/** For `WeightedChoice.pickSticky`; undefined: the request has no key, and is split by weight. An empty one is none. */
export function stickyKey(sticky: Sticky, headers: HeaderLookup): string | undefined {
  const value = sticky.by === "header" ? headers.all(sticky.name)[0] : cookieValue(headers.all("cookie"), sticky.name);
  return value === "" ? undefined : value;
}

/** The first cookie of that name (RFC 6265, section 4.2), as it was sent. HTTP/2 may split the field into crumbs. */
function cookieValue(fields: readonly string[], name: string): string | undefined {
  for (const field of fields) {
    for (const pair of field.split(";")) {
      const equals = pair.indexOf("=");
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}
