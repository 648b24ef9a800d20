import fc from "fast-check";
import { expect, it } from "vitest";
import { selects } from "../../../control-plane/index/pod.ts";
import { servicesSelecting } from "../../../control-plane/index/selecting.ts";
import type { Service } from "../../../control-plane/index/service.ts";

const labels = fc
  .dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2"))
  .map((of) => new Map(Object.entries(of)));

function services(selectors: readonly ReadonlyMap<string, string>[]): Service[] {
  return selectors.map((selector, index) => ({
    namespace: "shop",
    name: String.fromCharCode(97 + index),
    selector,
    type: "ClusterIP",
    family: "IPv4",
    clusterIps: [],
    ports: [],
    publishNotReadyAddresses: false,
    nodeLocal: false,
  }));
}

it("finds those that select a pod, and no others, by name", () => {
  fc.assert(
    fc.property(fc.array(labels, { maxLength: 12 }), labels, (selectors, pod) => {
      const all = services(selectors);
      expect(servicesSelecting(all, pod)).toEqual(all.filter(({ selector }) => selects(selector, pod)));
    }),
  );
});
