import { expect, it } from "vitest";
import { layersOf } from "../../../../control-plane/dashboard/page/layers.ts";

it.each([
  ["a chain", ["a>b", "b>c"], [["a"], ["b"], ["c"]]],
  ["the longest way to a node", ["a>b", "b>c", "a>c"], [["a"], ["b"], ["c"]]],
  ["several at one place, by name", ["a>c", "a>b"], [["a"], ["b", "c"]]],
  ["two that call each other", ["a>b", "b>a", "b>c"], [["a"], ["b"], ["c"]]],
  ["one that calls itself", ["a>a"], [["a"]]],
  ["nothing", [], []],
])("places %s", (_what, arrows, columns) => {
  const pairs = arrows.map((arrow) => {
    const [from = "", to = ""] = arrow.split(">");
    return { from, to };
  });
  expect(layersOf(pairs)).toEqual(columns);
});
