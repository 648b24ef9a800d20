/** Which port of a pod is behind a port of a Service. */

import type { Pod } from "../index/pod.ts";
import type { ServicePort } from "../index/service.ts";

/** The container port; a name that the pod does not have leads nowhere. */
export function targetPort(pod: Pick<Pod, "ports">, { targetPort: target }: ServicePort): number | undefined {
  return typeof target === "number" ? target : pod.ports.find(({ name }) => name === target)?.port;
}
