/** Which of a Destination's routes apply to a caller. */

import type { Destination } from "./resources.ts";

/**
 * The Destination as it applies to callers in a namespace. That namespace's own routes replace the producer's completely: the
 * two are never merged (https://gateway-api.sigs.k8s.io/geps/gep-1426/#multiple-routes-for-a-service).
 */
export function destinationFor(namespace: string, { consumers = [], ...destination }: Destination): Destination {
  const own = consumers.find((consumer) => consumer.namespace === namespace);
  return own === undefined ? destination : { ...destination, routes: own.routes };
}
