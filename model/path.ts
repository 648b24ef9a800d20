/**
 * The one normaliser of request paths, for routes and access rules alike: a path must not be matched as one thing and
 * served as another. What is forwarded is never the normalised path.
 */

export interface NormalPath {
  /** Starts with `/`; unreserved characters decoded, dot segments resolved, slashes merged. No query. */
  readonly path: string;
  /**
   * Whether the path as sent is not in normal form, or has parts that servers read differently (encoded slashes, backslashes,
   * `;` parameters, double encoding, NUL, invalid UTF-8). If a path rule is in force, such a request is refused.
   */
  readonly ambiguous: boolean;
}

/** Most paths: segments of plain characters, no dot or slash after a slash. */
const plain = /^(?:\/(?:[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)?)+$/;

/**
 * Normalises the path of a request target (RFC 3986, section 6.2.2), without its query. The targets that have no path are
 * `/*` (`OPTIONS *`) and `/` (CONNECT), so that rules for everything hold for them too.
 */
export function normalizePath(raw: string): NormalPath {
  if (raw === "" || raw === "*") return { path: `/${raw}`, ambiguous: false };
  if (plain.test(raw) && !raw.includes("//")) return { path: raw, ambiguous: false };
  const decoded = raw.replace(/%[0-9A-Fa-f]{2}/g, decodeUnreserved);
  const path = resolveSegments(decoded);
  // Lower-case digits in an escape are not in normal form either, but everyone reads them alike.
  const sent = raw.replace(/%[0-9A-Fa-f]{2}/g, upper);
  return { path, ambiguous: path !== sent || hasTrick(path) };
}

/** The path of a request target: all before `?`. */
export function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}

function decodeUnreserved(escape: string): string {
  const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
}

function upper(escape: string): string {
  return escape.toUpperCase();
}

/** Removes dot segments and empty ones (RFC 3986, section 5.2.4); what climbs over the root stays at the root. */
function resolveSegments(path: string): string {
  const kept: string[] = [];
  let directory = true;
  for (const segment of path.split("/")) {
    directory = segment === "" || segment === "." || segment === "..";
    if (segment === "..") kept.pop();
    else if (!directory) kept.push(segment);
  }
  return kept.length === 0 ? "/" : `/${kept.join("/")}${directory ? "/" : ""}`;
}

/** Encoded `/`, `\` or control characters, a `%` that is no escape or one of an escape, and characters no path may have. */
const trick = /%(?:2F|5C|[01][0-9A-F]|7F|25[0-9A-Fa-f]{2}|(?![0-9A-F]{2}))|[\\;#?]|[^\x21-\x7e]/;

function hasTrick(path: string): boolean {
  if (trick.test(path)) return true;
  if (!/%[89A-F]/.test(path)) return false;
  try {
    decodeURIComponent(path);
    return false;
  } catch {
    return true; // overlong or broken UTF-8
  }
}
