import fc from "fast-check";
import { expect, it } from "vitest";
import { Labelled, Selecting } from "../../../control-plane/index/by-label.ts";
import { selects } from "../../../control-plane/index/pod.ts";

/** Few names and values, so that many select and are selected. */
const labels = fc
  .uniqueArray(fc.tuple(fc.constantFrom("app", "tier", "zone"), fc.constantFrom("a", "b")), {
    selector: ([key]) => key,
  })
  .map((pairs) => new Map(pairs));
const namespace = fc.constantFrom("shop", "bank");
const things = fc.uniqueArray(
  fc.record({ namespace, name: fc.constantFrom("x", "y", "z", "w"), labels, selector: labels, stays: fc.boolean() }),
  { selector: (thing) => `${thing.namespace}/${thing.name}` },
);

function names(found: readonly { readonly name: string }[]): string[] {
  return found.map(({ name }) => name).sort((a, b) => (a < b ? -1 : 1));
}

it("finds the same objects for a selector as comparing each one", () => {
  fc.assert(
    fc.property(things, namespace, labels, (all, where, selector) => {
      const index = new Labelled();
      for (const thing of all) index.toggle(thing, true);
      for (const thing of all) if (!thing.stays) index.toggle(thing, false);
      const asked = all.filter((thing) => thing.stays && thing.namespace === where && selects(selector, thing.labels));
      expect(names(index.selectedBy(where, selector) as { name: string }[])).toEqual(names(asked));
    }),
  );
});

it("finds the same selectors for labels as comparing each one", () => {
  fc.assert(
    fc.property(things, namespace, labels, (all, where, sought) => {
      const index = new Selecting();
      for (const thing of all) index.toggle(thing, true);
      for (const thing of all) if (!thing.stays) index.toggle(thing, false);
      const asked = all.filter((thing) => thing.stays && thing.namespace === where && selects(thing.selector, sought));
      expect(names(index.of(where, sought) as { name: string }[])).toEqual(names(asked));
    }),
  );
});
