/**
 * How a port's bytes are read. In order of precedence: what its pods declare, `appProtocol` of its Service, the port's name,
 * well-known ports.
 */

import { undeclaredProtocol } from "../../model/defaults.ts";
import type { Protocol } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import { selects } from "../index/pod.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { targetPort } from "./target-port.ts";

/** Values of `appProtocol` (Kubernetes' own, and those that Istio knows), in lower case. */
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

/**
 * Allowed port names, alone or before a dash
 * (https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/).
 */
const namePrefixes = new Set(["http", "http2", "grpc", "https", "tls", "tcp", "mongo", "mysql", "redis"]);

/**
 * The protocol of a Service port. A single pod that declares it opaque makes it so: that pod's sidecar would not look into the
 * bytes.
 */
export function protocolOf(view: IndexView, { namespace, selector }: Service, port: ServicePort): Protocol {
  const isOpaque = view.opaquePodsIn(namespace).some((pod) => {
    const target = selects(selector, pod.labels) ? targetPort(pod, port) : undefined;
    return target !== undefined && pod.opaquePorts?.includes(target) === true;
  });
  return isOpaque ? "opaque" : readProtocol(port);
}

/** `detect` if nothing is declared, or if the `appProtocol` is unknown. */
export function readProtocol(port: { port: number; name?: string; appProtocol?: string }): Protocol {
  if (port.appProtocol !== undefined) return appProtocols.get(port.appProtocol.toLowerCase()) ?? "detect";
  const name = port.name?.toLowerCase() ?? "";
  // gRPC-Web runs over either version of HTTP.
  const prefix = name.startsWith("grpc-web") ? "" : (name.split("-")[0] ?? "");
  if (namePrefixes.has(prefix)) return appProtocols.get(prefix) ?? "detect";
  return undeclaredProtocol(port.port);
}
