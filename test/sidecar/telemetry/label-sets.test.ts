import { expect, it } from "vitest";
import { LabelSets } from "../../../sidecar/telemetry/label-sets.ts";

it("gives the same label set the same slot, and a different one another", () => {
  const sets = new LabelSets(["service", "code"], ["service"], 10);
  const first = sets.slot({ service: "shop/web", code: "200" });
  expect(sets.slot({ service: "shop/web", code: "503" })).not.toBe(first);
  expect(sets.slot({ code: "200", service: "shop/web" })).toBe(first);
  expect(sets.all[first]).toEqual({ service: "shop/web", code: "200" });
});

it("does not confuse sets whose concatenated values are equal", () => {
  const sets = new LabelSets(["a", "b"], [], 10);
  expect(sets.slot({ a: "x", b: "yz" })).not.toBe(sets.slot({ a: "xy", b: "z" }));
});

it("stays bounded under 100,000 distinct values, and keeps the labels that can't grow", () => {
  const sets = new LabelSets(["service", "code"], ["service"], 100);
  for (let i = 0; i < 100_000; i++) sets.slot({ service: `host-${i}`, code: i % 2 === 0 ? "200" : "503" });
  expect(sets.count).toBe(102);
  expect(sets.all.slice(100)).toEqual([
    { service: "other", code: "200" },
    { service: "other", code: "503" },
  ]);
  expect(sets.all[sets.slot({ service: "host-7", code: "503" })]).toEqual({ service: "host-7", code: "503" });
});

it("does not keep a value of absurd length", () => {
  const sets = new LabelSets(["service"], ["service"], 100);
  sets.slot({ service: "x".repeat(10_000) });
  expect(sets.all).toEqual([{ service: "other" }]);
});
