/**
 * Finds, among many routes, those whose path may match, without trying each: a request to a Service with a thousand routes
 * costs no more than with one.
 *
 * A tree of path segments. A rule is at the node where its prefix ends, or at the root if it has none, so the rules for a
 * path are those on the way down from the root. Exact paths are looked up in a map.
 */

import { normalizePath } from "./path.ts";
import type { PathMatch } from "./resources.ts";

/** Something with a fixed position in the order of trial: lower is earlier. */
export interface Ordered {
  readonly order: number;
}

interface Segment<T> {
  readonly rules: T[];
  readonly children: Map<string, Segment<T>>;
}

export class PathIndex<T extends Ordered> {
  readonly #root: Segment<T> = { rules: [], children: new Map() };
  readonly #exact = new Map<string, T[]>();

  /** Rules are added in order. Regular expressions count as having no path: `holds` tests them. */
  add(path: PathMatch | undefined, rule: T): void {
    switch (path?.kind) {
      case "exact": {
        const exact = normalizePath(path.value).path;
        const rules = this.#exact.get(exact);
        if (rules === undefined) this.#exact.set(exact, [rule]);
        else rules.push(rule);
        return;
      }
      case "prefix":
        this.#segmentOf(normalizePath(path.value).path).rules.push(rule);
        return;
      case "regex":
      case undefined:
        this.#root.rules.push(rule);
    }
  }

  /** The first rule for a path in normal form for which `holds`. */
  find<S>(normalPath: string, holds: (rule: T, subject: S) => boolean, subject: S): T | undefined {
    let best = firstOf(this.#exact.get(normalPath), undefined, holds, subject);
    let segment: Segment<T> | undefined = this.#root;
    let from = 1;
    while (segment !== undefined) {
      best = firstOf(segment.rules, best, holds, subject);
      if (segment.children.size === 0 || from > normalPath.length) break;
      const slash = normalPath.indexOf("/", from);
      const to = slash < 0 ? normalPath.length : slash;
      segment = segment.children.get(normalPath.slice(from, to));
      from = to + 1;
    }
    return best;
  }

  #segmentOf(prefix: string): Segment<T> {
    let segment = this.#root;
    for (const name of prefix.split("/")) {
      if (name === "") continue;
      let child = segment.children.get(name);
      if (child === undefined) segment.children.set(name, (child = { rules: [], children: new Map() }));
      segment = child;
    }
    return segment;
  }
}

/** The first of `rules` that precedes `best` and for which `holds`, else `best`. */
function firstOf<T extends Ordered, S>(
  rules: readonly T[] | undefined,
  best: T | undefined,
  holds: (rule: T, subject: S) => boolean,
  subject: S,
): T | undefined {
  if (rules === undefined) return best;
  for (const rule of rules) {
    if (best !== undefined && rule.order >= best.order) return best;
    if (holds(rule, subject)) return rule;
  }
  return best;
}
