/**
 * `/validate`: policies and routes, read by the compiler's own parsers, while their author is still looking.
 * It is a courtesy: what gets past it harms nothing, because the compiler refuses it too.
 *
 * It refuses invalid policies. Routes also belong to their other parents' controllers, so it only warns about them.
 */

import { isDeepStrictEqual } from "node:util";
import { parseGatewayRoute } from "../../model/parse/gateway-route.ts";
import { parsePolicy } from "../../model/parse/policy.ts";
import { policyWarnings } from "../../model/parse/warnings.ts";
import type { ClusterIndex } from "../index/cluster-index.ts";
import { leadsToService } from "../index/gateway-routes.ts";
import { isRecord } from "../source/kube-object.ts";
import { oneLine } from "../status/condition.ts";
import { missingServices } from "./missing-services.ts";
import type { AdmissionAnswer, AdmissionRequest } from "./review.ts";
import type { AdmissionHandler } from "./server.ts";

const admitted: AdmissionAnswer = { verdict: "admit", warnings: [] };

/**
 * `index` must have been filled: what it does not know counts as missing. `catchUp` resolves when it has had the time to learn of
 * a Service that was created just before the policy, as by one `kubectl apply` of both.
 */
export function validateHandler(index: ClusterIndex, catchUp: () => Promise<unknown>): AdmissionHandler {
  return (request) => {
    if (request.operation === "DELETE" || request.subresource !== "" || leavesSpec(request)) return admitted;
    switch (request.group) {
      case "tulle.dev":
        return validatePolicy(request, index, catchUp);
      case "gateway.networking.k8s.io":
        return reviewRoute(request);
      default:
        return admitted;
    }
  };
}

/** An invalid object that got in must still be able to lose its finalizers and change its labels. */
function leavesSpec({ operation, object, oldObject }: AdmissionRequest): boolean {
  return operation === "UPDATE" && isDeepStrictEqual(specOf(object), specOf(oldObject));
}

function specOf(object: unknown): unknown {
  return isRecord(object) ? object["spec"] : undefined;
}

async function validatePolicy(
  request: AdmissionRequest,
  index: ClusterIndex,
  catchUp: () => Promise<unknown>,
): Promise<AdmissionAnswer> {
  const policy = parsePolicy(named(request));
  if (!policy.ok) return { verdict: "refuse", causes: policy.error };
  if (missingServices(index, policy.value).length > 0) await catchUp();
  const warnings = [...policyWarnings(policy.value), ...missingServices(index, policy.value)];
  return { verdict: "admit", warnings: warnings.map(oneLine) };
}

function reviewRoute(request: AdmissionRequest): AdmissionAnswer {
  const object = named(request);
  if (!isRecord(object) || !leadsToService({ spec: object["spec"] })) return admitted;
  const route = parseGatewayRoute(object);
  if (route.ok) return admitted;
  return { verdict: "admit", warnings: route.error.map((error) => `not taken over by the mesh: ${oneLine(error)}`) };
}

/** Gives the object a name, as the API server will from `generateName`; the parsers need one. */
function named({ object, name, namespace }: AdmissionRequest): unknown {
  if (!isRecord(object)) return object;
  const metadata = isRecord(object["metadata"]) ? object["metadata"] : {};
  const given = { namespace: metadata["namespace"] ?? namespace, name: metadata["name"] ?? (name || "generated") };
  return { ...object, metadata: { ...metadata, ...given } };
}
