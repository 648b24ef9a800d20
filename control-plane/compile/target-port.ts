/** Which port of a pod is behind a port of a Service. */

import type { Pod } from "../index/pod.ts";
import type { ServicePort } from "../index/service.ts";

/** The container port, as an EndpointSlice has resolved it, if there is one; a name that the pod does not have leads nowhere. */
export function targetPort(
  { ports, servicePorts }: Pick<Pod, "ports" | "servicePorts">,
  { name = "", targetPort: target }: ServicePort,
): number | undefined {
  if (servicePorts !== undefined) return servicePorts.get(name);
  return typeof target === "number" ? target : ports.find((port) => port.name === target)?.port;
}
