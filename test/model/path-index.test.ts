import fc from "fast-check";
import { expect, it } from "vitest";
import { normalizePath } from "../../model/path.ts";
import { PathIndex } from "../../model/path-index.ts";
import { pathTest } from "../../model/path-match.ts";
import type { PathMatch } from "../../model/resources.ts";

it("finds the same as trying one rule after the other", () => {
  const path = fc
    .array(fc.constantFrom("a", "b", "ab", "", "..", "%61"), { maxLength: 4 })
    .map((segments) => `/${segments.join("/")}`);
  const match = fc.option(fc.record<PathMatch>({ kind: fc.constantFrom("exact", "prefix", "regex"), value: path }), {
    nil: undefined,
  });
  const rules = fc.array(fc.record({ match, holds: fc.boolean() }), { maxLength: 12 });
  fc.assert(
    fc.property(rules, path, (rules, raw) => {
      const normal = normalizePath(raw).path;
      const index = new PathIndex<{ order: number; holds: boolean }>();
      for (const [order, { match, holds }] of rules.entries()) {
        // The index leaves regular expressions to `holds`.
        const matches = match?.kind !== "regex" || pathTest(match, false)(normal);
        index.add(match, { order, holds: holds && matches });
      }
      const expected = rules.findIndex(
        ({ match, holds }) => holds && (match === undefined || pathTest(match, false)(normal)),
      );
      expect(index.find(normal, (rule) => rule.holds, undefined)?.order ?? -1).toBe(expected);
    }),
    { numRuns: 2000 },
  );
});

it("tests only the rules on the way to a path", () => {
  const index = new PathIndex<{ order: number }>();
  for (let order = 0; order < 1000; order++) index.add({ kind: "prefix", value: `/api/r${order}` }, { order });
  index.add(undefined, { order: 1000 });
  let asked = 0;
  const found = index.find("/api/r777/x", () => ++asked > 0, undefined);
  expect(found?.order).toBe(777);
  expect(asked).toBeLessThanOrEqual(2);
});

it("accepts a segment of any name", () => {
  const index = new PathIndex<{ order: number }>();
  index.add({ kind: "prefix", value: "/__proto__/constructor" }, { order: 0 });
  expect(index.find("/__proto__/constructor/x", () => true, undefined)?.order).toBe(0);
  expect(index.find("/toString", () => true, undefined)).toBeUndefined();
});
