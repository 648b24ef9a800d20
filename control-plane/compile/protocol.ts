/** How a port's bytes are to be read: as its pods say, else its Service: `appProtocol`, else the port's name, else well-known ports. */

import { undeclaredProtocol } from "../../model/defaults.ts";
import type { Protocol } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import { selects } from "../index/pod.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { targetPort } from "./target-port.ts";

/** Values of `appProtocol` (Kubernetes' own, and those Istio knows), in lower case. */
const appProtocols: ReadonlyMap<string, Protocol> = new Map([
  ["http", "http1"],
  ["http2", "http2"],
  ["kubernetes.io/h2c", "http2"],
  ["kubernetes.io/ws", "http1"],
  ["kubernetes.io/wss", "tls"],
  ["grpc", "grpc"],
  ["https", "tls"],
  ["tls", "tls"],
  ["tcp", "opaque"],
  ["tulle.dev/opaque", "opaque"],
  ["mongo", "opaque"],
  ["mysql", "opaque"],
  ["redis", "opaque"],
]);

/** What a port may be called, alone or before a dash (https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/). */
const namePrefixes = new Set(["http", "http2", "grpc", "https", "tls", "tcp", "mongo", "mysql", "redis"]);

/** Of a port of a Service. One pod that says so makes it opaque: its sidecar would not look into the bytes. */
export function protocolOf(view: IndexView, { namespace, selector }: Service, port: ServicePort): Protocol {
  const isOpaque = view.opaquePodsIn(namespace).some((pod) => {
    const target = selects(selector, pod.labels) ? targetPort(pod, port) : undefined;
    return target !== undefined && pod.opaquePorts?.includes(target) === true;
  });
  return isOpaque ? "opaque" : readProtocol(port);
}

/** `detect` where nothing is declared, and for an `appProtocol` that is not known. */
export function readProtocol(port: { port: number; name?: string; appProtocol?: string }): Protocol {
  if (port.appProtocol !== undefined) return appProtocols.get(port.appProtocol.toLowerCase()) ?? "detect";
  const name = port.name?.toLowerCase() ?? "";
  // gRPC-Web runs over either version of HTTP.
  const prefix = name.startsWith("grpc-web") ? "" : (name.split("-")[0] ?? "");
  if (namePrefixes.has(prefix)) return appProtocols.get(prefix) ?? "detect";
  return undeclaredProtocol(port.port);
}
