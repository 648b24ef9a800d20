import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonPatch } from "../../../control-plane/injection/json-patch.ts";
import { applyPatch } from "../../support/json-patch.ts";

/** Without `undefined`, which JSON has not, and without `__proto__`, which the test's own objects would take for theirs. */
const json = fc.jsonValue({ maxDepth: 4 }).filter((value) => !JSON.stringify(value).includes("__proto__"));

it("turns any value into any other", () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      expect(applyPatch(before, jsonPatch(before, after))).toEqual(after);
    }),
  );
});

it("has nothing to do between equal values", () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(jsonPatch(value, structuredClone(value))).toEqual([]);
    }),
  );
});

it("does not take inherited properties for fields", () => {
  expect(jsonPatch({ toString: false }, {})).toEqual([{ op: "remove", path: "/toString" }]);
  expect(jsonPatch({}, { toString: false })).toEqual([{ op: "add", path: "/toString", value: false }]);
});

it("escapes the characters that JSON Pointer reserves", () => {
  const after = { annotations: { "tulle.dev/a~b": "1" } };
  expect(jsonPatch({ annotations: {} }, after)).toEqual([
    { op: "add", path: "/annotations/tulle.dev~1a~0b", value: "1" },
  ]);
});
