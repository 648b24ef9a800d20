/** Which requests a reader wants to see: as the query of the debug page, and as a test of an ended request. Pure. */

import { err, ok, type Result } from "../../model/result.ts";
import type { TappedRequest } from "./request-taps.ts";

export type TapDirection = "inbound" | "outbound";

/** An absent field matches anything. */
export interface TapFilter {
  readonly direction?: TapDirection;
  /** The caller: `namespace/name`, or a namespace. */
  readonly from?: string;
  /**
   * What was called, or the backend that the request went to: `namespace/name` or a namespace; outside the mesh a host, or a host
   * and port.
   */
  readonly to?: string;
  /** In upper case. */
  readonly method?: string;
  /** The beginning of the path, as it was sent. */
  readonly path?: string;
  /** `503`, or a whole class: `5xx`. */
  readonly status?: string;
  /** Only requests that the mesh answered itself or that broke off, and statuses from 500 on. */
  readonly errors?: true;
}

const longestWord = 512;
const statusPattern = /^[1-5](?:[0-9]{2}|xx)$/;
const namePattern = /^[a-z0-9.-]+(?:\/[A-Za-z0-9._:-]+|:\d{1,5})?$/;
const methodPattern = /^[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*$/;

/** The error is one line that names the word. An empty word counts as absent. */
export function parseTapFilter(words: Readonly<Record<string, string | undefined>>): Result<TapFilter, string> {
  const { direction, from, to, method, path, status, errors } = words;
  const tooLong = Object.entries(words).find(([, word = ""]) => word.length > longestWord);
  if (tooLong !== undefined) return err(`${tooLong[0]} must have at most ${longestWord} characters`);
  if (direction && direction !== "inbound" && direction !== "outbound")
    return err(`direction must be inbound or outbound, got ${direction}`);
  for (const [name, word] of Object.entries({ from, to }))
    if (word && !namePattern.test(word)) return err(`${name} must be like shop/orders, or a namespace, got ${word}`);
  if (method && !methodPattern.test(method)) return err(`method must be like GET, got ${method}`);
  if (path && !path.startsWith("/")) return err(`path must begin with /, got ${path}`);
  if (status && !statusPattern.test(status)) return err(`status must be like 503 or 5xx, got ${status}`);
  return ok({
    ...(direction && { direction: direction === "inbound" ? "inbound" : "outbound" }),
    ...(from && { from }),
    ...(to && { to }),
    ...(method && { method: method.toUpperCase() }),
    ...(path && { path }),
    ...(status && { status }),
    ...(errors && { errors: true }),
  });
}

/** The reverse of `parseTapFilter`, as a query. */
export function formatTapFilter({ errors, ...words }: TapFilter): Record<string, string> {
  return { ...words, ...(errors && { errors: "true" }) };
}

export function isWanted(filter: TapFilter, request: TappedRequest): boolean {
  const { direction, from, to, method, path, status, errors } = filter;
  return (
    (direction === undefined || direction === request.direction) &&
    (method === undefined || method === request.method) &&
    (path === undefined || request.path.startsWith(path)) &&
    (from === undefined || isNamed(from, request.from)) &&
    (to === undefined || isNamed(to, request.to) || isNamed(to, request.backend ?? "")) &&
    (status === undefined || hasStatus(status, request.status)) &&
    (errors === undefined || request.error !== undefined || request.status >= 500)
  );
}

/** A word without a slash is a namespace, or the host of an address outside the mesh. */
function isNamed(word: string, name: string): boolean {
  return name === word || (!word.includes("/") && (name.startsWith(`${word}/`) || name.startsWith(`${word}:`)));
}

function hasStatus(word: string, status: number): boolean {
  return word.endsWith("xx") ? Math.floor(status / 100) === Number(word[0]) : status === Number(word);
}
