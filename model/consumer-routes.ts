/** Which of a Destination's routes hold for a caller. */

import type { Destination } from "./resources.ts";

/**
 * The Destination as callers in a namespace have it. Routes of their own take the place of the producer's, whole: the two
 * are never merged (https://gateway-api.sigs.k8s.io/geps/gep-1426/#multiple-routes-for-a-service).
 */
export function destinationFor(namespace: string, { consumers = [], ...destination }: Destination): Destination {
  const own = consumers.find((consumer) => consumer.namespace === namespace);
  return own === undefined ? destination : { ...destination, routes: own.routes };
}
