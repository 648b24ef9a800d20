/** Tests a path in normal form against the path match of a route or an access rule. */

import { normalizePath } from "./path.ts";
import { compileRegex } from "./regex.ts";
import type { PathMatch } from "./resources.ts";

/**
 * Compiles a match into a test of normalised paths. `onBadPattern` is the result for a pattern that does not compile: parsers
 * reject those, and if one gets here anyway, it must not open what it was meant to close.
 */
export function pathTest(match: PathMatch, onBadPattern: boolean): (normalPath: string) => boolean {
  switch (match.kind) {
    case "exact": {
      const exact = normalizePath(match.value).path;
      return (path) => path === exact;
    }
    case "prefix": {
      const prefix = normalizePath(match.value).path;
      return (path) => hasPathPrefix(path, prefix);
    }
    case "regex": {
      const regex = compileRegex(match.value);
      return regex.ok ? (path) => regex.value.matches(path) : () => onBadPattern;
    }
  }
}

/** Whole segments, a trailing slash of the prefix not counted: `/a` and `/a/` cover `/a`, `/a/` and `/a/b`, not `/ab`. */
export function hasPathPrefix(path: string, prefix: string): boolean {
  const bare = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  if (!path.startsWith(bare)) return false;
  return path.length === bare.length || path[bare.length] === "/";
}
