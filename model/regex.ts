/**
 * Regular expressions that users write, matched in time linear in the input whatever the pattern: RE2's syntax, by `re2js`.
 * V8's own engine backtracks, and one pattern in a route could then stop a sidecar.
 */

import { RE2JS, RE2JSException } from "re2js";
import { err, ok, type Result } from "./result.ts";

/** A compiled pattern that must match the whole text. */
export interface Regex {
  matches(text: string): boolean;
}

/** A longer one would be compiled slowly and kept in every sidecar. */
const maxPatternLength = 1024;

export function compileRegex(pattern: string): Result<Regex, string> {
  if (pattern.length > maxPatternLength) {
    return err(`must have at most ${maxPatternLength} characters, got ${pattern.length}`);
  }
  try {
    const compiled = RE2JS.compile(pattern);
    return ok({ matches: (text) => compiled.testExact(text) });
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return err(`must be a regular expression in RE2 syntax, got ${JSON.stringify(pattern)}: ${error.message}`);
  }
}
