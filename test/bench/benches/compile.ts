/** `compile`: from a thousand Services, their pods, and a policy for each, to the snapshot; and one policy's change in it. */

import { Pipeline } from "../../../control-plane/pipeline.ts";
import { changeOf, deploymentYaml, podYaml, serviceYaml } from "../../support/manifests.ts";
import { ours } from "../chains.ts";
import type { Column } from "../report.ts";
import { type Bench, interleave } from "./bench.ts";

const columns: readonly Column[] = [
  {
    metric: "all_ms",
    says: "1,000 Services, pods, Deployments and RetryPolicies, from the source's change to the snapshot",
  },
  { metric: "one_ms", says: "one of those policies changes" },
];

const size = 1_000;
/** Runs that don't count, because Node compiles code only after it has run for a while. */
const warmUps = 5;
const domains = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };

export const compile: Bench = {
  name: "compile",
  says: "1,000 policies on 1,000 Services to what sidecars are told; no peers",
  defaults: { rounds: 10, seconds: 1 },
  async run(_ground, options) {
    const change = changeOf(Array.from({ length: size }, (_, index) => meshOf(index)).join(""));
    const measure = () => {
      const pipeline = new Pipeline(domains);
      const startMs = performance.now();
      pipeline.apply(change);
      const allMs = performance.now() - startMs;
      const edited = changeOf(policyYaml(0, 5));
      const editedAtMs = performance.now();
      pipeline.apply(edited);
      return Promise.resolve({ all_ms: allMs, one_ms: performance.now() - editedAtMs });
    };
    for (let round = 0; round < warmUps; round++) await measure();
    const rows = await interleave([{ name: ours() }], options, measure);
    return { bench: "compile", ours, columns, rows, notes: [] };
  },
};

function meshOf(index: number): string {
  const name = `s${index}`;
  const pod = podYaml(`${name}-1`, name, `10.1.${index >> 8}.${index & 255}`);
  return serviceYaml(name) + pod + deploymentYaml(name) + policyYaml(index, 4);
}

function policyYaml(index: number, maxAttempts: number): string {
  return `
apiVersion: tulle.dev/v1alpha1
kind: RetryPolicy
metadata: {namespace: shop, name: p${index}}
spec: {targetRefs: [{kind: Service, name: s${index}}], maxAttempts: ${maxAttempts}}
---`;
}
