/** `/inject`: receives a pod on its way into the cluster, and answers with the patch that adds its sidecar. */

import type { AdmissionAnswer, AdmissionRequest } from "../admission/review.ts";
import type { InjectionConfig } from "./config.ts";
import { inject } from "./inject.ts";
import { jsonPatch } from "./json-patch.ts";
import { readPodTemplate } from "./pod-spec.ts";
import { workloadOf } from "./workload.ts";

export function injectHandler(config: InjectionConfig): (request: AdmissionRequest) => AdmissionAnswer {
  return ({ kind, operation, namespace, object }) => {
    if (kind !== "Pod" || operation !== "CREATE") return { verdict: "admit", warnings: [] };
    const pod = readPodTemplate(object);
    if (!pod.ok) return { verdict: "refuse", causes: pod.error };
    const injection = inject(pod.value, { namespace, workload: workloadOf(pod.value.metadata ?? {}) }, config);
    switch (injection.kind) {
      case "skipped":
        return { verdict: "admit", warnings: [] };
      case "refused":
        return { verdict: "refuse", causes: injection.errors };
      case "injected": {
        const patch = jsonPatch(object, injection.pod);
        return patch.length === 0 ? { verdict: "admit", warnings: [] } : { verdict: "admit", warnings: [], patch };
      }
    }
  };
}
