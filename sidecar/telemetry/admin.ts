/**
 * The pages of the sidecar's admin port: `/metrics`, `/ready`, `/live` and the application's probes, for kubelet and
 * Prometheus, open to the pod network.
 * The debug pages, which tell more, are served on loopback only.
 */

import { isLoopback } from "../../model/address.ts";
import type { ApplicationProbe } from "../../model/application-probe.ts";
import { type Page, plainPage } from "../../system/page.ts";
import type { Listener } from "../net/listener.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { askApplication } from "../probe/ask-application.ts";
import type { MetricRegistry } from "./registry.ts";
import { type SidecarPage, servePages } from "./serve-pages.ts";

/** What is still missing before requests can be served; empty: ready. */
export type Readiness = () => readonly string[];

export interface AdminOptions {
  /** The pod's IP. */
  readonly host: string;
  /** 15020 in a pod; 0: any free port. */
  readonly port: number;
  readonly registry: MetricRegistry;
  readonly readiness: Readiness;
  /** The probes that kubelet sends to the application through this port, by path. */
  readonly probes: ReadonlyMap<string, ApplicationProbe>;
  /** Times those probes, and clients that send too slowly. */
  readonly wheel: TimerWheel;
  /** Pages that only this machine, or this pod, may request; default: none. */
  readonly debug?: ReadonlyMap<string, SidecarPage>;
  /** The pages for PUT, by path, served where the debug pages are; default: nothing can be changed. */
  readonly changes?: ReadonlyMap<string, SidecarPage>;
}

/** Starts to listen. Rejects if it can't: the port is in use. */
export async function openAdmin(options: AdminOptions): Promise<Pick<Listener, "port" | "close">> {
  const { host, port, registry, readiness, probes, wheel, debug = new Map<string, SidecarPage>(), changes } = options;
  const pages = new Map<string, SidecarPage>([
    [
      "/metrics",
      async (request) => ({ status: 200, ...(await registry.expose(formatFor(request.header("accept") ?? ""))) }),
    ],
    ["/ready", () => readinessPage(readiness())],
    ["/live", () => plainPage(200, "live")],
  ]);
  for (const [path, probe] of probes) pages.set(path, ({ gone }) => probePage(probe, host, wheel, gone));
  const local = { pages: new Map([...pages, ...debug]), wheel, ...(changes && { changes }) };
  // If pods are simulated on loopback, there is only one address for both.
  if (debug.size === 0 || isLoopback(host)) return servePages({ host, port, ...local });
  const open = await servePages({ host, port, pages, wheel });
  try {
    const onLoopback = await servePages({ host: "127.0.0.1", port: open.port, ...local });
    const close = (): void => {
      open.close();
      onLoopback.close();
    };
    return { port: open.port, close };
  } catch (error) {
    open.close();
    throw error;
  }
}

/** Prometheus asks for OpenMetrics first; a client that does not mention it gets the text format, which everybody reads. */
function formatFor(accept: string): "openmetrics" | "text" {
  return /application\/openmetrics-text(?![^,]*;\s*q=0(?:\.0*)?(?:\s|,|$))/i.test(accept) ? "openmetrics" : "text";
}

async function probePage(
  probe: ApplicationProbe,
  podIp: string,
  wheel: TimerWheel,
  kubeletGone: AbortSignal,
): Promise<Page> {
  const { status, says } = await askApplication(probe, podIp, wheel, kubeletGone);
  return plainPage(status, says);
}

function readinessPage(missing: readonly string[]) {
  return missing.length === 0 ? plainPage(200, "ready") : plainPage(503, `not ready: ${missing.join(", ")}`);
}
