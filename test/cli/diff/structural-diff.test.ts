import fc from "fast-check";
import { expect, it } from "vitest";
import { changesBetween } from "../../../cli/diff/structural-diff.ts";

it.each<[string, unknown, unknown, unknown[]]>([
  ["no change", { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, []],
  ["a value", { a: { b: 1 } }, { a: { b: 2 } }, [{ path: "a.b", before: 1, after: 2 }]],
  ["a new field", {}, { a: { b: 1 } }, [{ path: "a", after: { b: 1 } }]],
  ["a field that went", { a: 1 }, {}, [{ path: "a", before: 1 }]],
  ["a field that every object inherits", { toString: 1 }, {}, [{ path: "toString", before: 1 }]],
  ["another type", { a: [1] }, { a: 1 }, [{ path: "a", before: [1], after: 1 }]],
  ["an item by its place", { a: ["x", "y"] }, { a: ["x", "z"] }, [{ path: "a[1]", before: "y", after: "z" }]],
  ["a named item in front", [{ name: "b" }], [{ name: "a" }, { name: "b" }], [{ path: "[a]", after: { name: "a" } }]],
  [
    "one of two items of one name",
    [
      { name: "a", w: 1 },
      { name: "a", w: 2 },
    ],
    [
      { name: "a", w: 1 },
      { name: "a", w: 3 },
    ],
    [{ path: "[a #2].w", before: 2, after: 3 }],
  ],
  [
    "the order of named items",
    [{ name: "a" }, { name: "b" }],
    [{ name: "b" }, { name: "a" }],
    [{ path: " (order)", before: ["a", "b"], after: ["b", "a"] }],
  ],
])("tells %s", (_what, before, after, changes) => {
  expect(changesBetween(before, after)).toEqual(changes);
});

it("finds no difference exactly if there is none", () => {
  const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(json, json, (a, b) => {
      expect(changesBetween(JSON.parse(a), JSON.parse(a))).toEqual([]);
      const differs = JSON.stringify(sorted(JSON.parse(a))) !== JSON.stringify(sorted(JSON.parse(b)));
      expect(changesBetween(JSON.parse(a), JSON.parse(b)).length > 0).toBe(differs);
    }),
  );
});

/** The order of an object's fields means nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(fields.map(([name, part]) => [name, sorted(part)]));
}
