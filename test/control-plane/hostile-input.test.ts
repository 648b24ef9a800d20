/** Whatever stands in a file: it is read or refused, never thrown at, and it changes nothing that it does not name. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { allProblems, Pipeline } from "../../control-plane/pipeline.ts";
import { parseManifest } from "../../control-plane/source/manifest.ts";
import { changeOf, deploymentYaml, podYaml, serviceYaml } from "../support/manifests.ts";

const good = serviceYaml("a") + podYaml("p", "a", "10.0.0.1") + deploymentYaml("a");

/** A good manifest with a piece cut out and another text in its place. */
const damaged = fc
  .tuple(fc.nat(good.length), fc.nat(40), fc.string({ maxLength: 20, unit: "binary" }))
  .map(([at, length, text]) => good.slice(0, at) + text + good.slice(at + length));

const kinds = [
  ["v1", "Service"],
  ["v1", "Pod"],
  ["apps/v1", "Deployment"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute"],
  ["gateway.networking.k8s.io/v1beta1", "ReferenceGrant"],
  ["tulle.dev/v1alpha1", "TrafficSplit"],
  ["tulle.dev/v1alpha1", "RetryPolicy"],
  ["tulle.dev/v1alpha1", "AccessPolicy"],
] as const;

/** An object of a known kind with anything for a content; field names that are read come up often. */
const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, -1, 80, 1e300, "", "a", "10s", "Service", "__proto__"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        "ports",
        "port",
        "selector",
        "template",
        "spec",
        "metadata",
        "labels",
        "backends",
        "service",
        "parentRefs",
        "rules",
        "backendRefs",
        "kind",
        "__proto__",
      ),
      tie("value"),
      { maxKeys: 4 },
    ),
  ),
})).value;

function pipelineWith(yaml: string): Pipeline {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  pipeline.apply(changeOf(yaml));
  return pipeline;
}

it("reads or refuses any text, and gives a line for each refusal", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(damaged, (text) => {
      const { objects, problems, complete } = parseManifest(text, "a.yaml");
      const lines = text.split("\n").length;
      for (const { line } of problems) expect(line === undefined || (line >= 1 && line <= lines)).toBe(true);
      for (const { origin } of objects) expect(origin.lineOf("spec.ports[3].x")).toBeLessThanOrEqual(lines);
      expect(complete || problems.length > 0 || objects.length > 0).toBe(true);
    }),
    { numRuns: 300 },
  );
});

it("survives any content of any object, and leaves the others as they are", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.constantFrom(...kinds), anything, anything, anything, ([apiVersion, kind], spec, status, labels) => {
      const pipeline = pipelineWith(good);
      const before = pipeline.snapshot.list("destination");
      pipeline.apply(
        changeOf(
          JSON.stringify({ apiVersion, kind, metadata: { namespace: "other", name: "z", labels }, spec, status }),
        ),
      );
      const statuses = [...pipeline.policyStatuses(() => undefined), ...pipeline.routeStatuses(() => undefined)];
      expect(allProblems(pipeline.index, statuses).every(({ message }) => message.length > 0)).toBe(true);
      const after = pipeline.snapshot.list("destination").filter(({ name }) => !name.includes(".other."));
      expect(after).toEqual(before);
    }),
    { numRuns: 500 },
  );
});
