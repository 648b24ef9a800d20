/** Which port of a pod is behind a Service port. */

import type { Pod } from "../index/pod.ts";
import type { ServicePort } from "../index/service.ts";

/**
 * The container port: as an EndpointSlice has resolved it, if there is one. Undefined if it is a name that the pod does not
 * have.
 */
export function targetPort(
  { ports, servicePorts }: Pick<Pod, "ports" | "servicePorts">,
  { name = "", targetPort: target }: ServicePort,
): number | undefined {
  if (servicePorts !== undefined) return servicePorts.get(name);
  return typeof target === "number" ? target : ports.find((port) => port.name === target)?.port;
}
