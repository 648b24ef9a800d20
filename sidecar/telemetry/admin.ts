/**
 * The pages of the sidecar's admin port: `/metrics`, `/ready`, `/live` and the application's probes, for kubelet and
 * Prometheus, open to the pod network.
 * What tells more than that, the debug pages, is served on loopback alone.
 */

import type { Socket } from "node:net";
import { isLoopback } from "../../model/address.ts";
import type { ApplicationProbe } from "../../model/application-probe.ts";
import { type AdminServer, openAdminServer, type Page, type PageMaker, plainPage } from "../../system/admin-server.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { askApplication } from "../probe/ask-application.ts";
import type { MetricRegistry } from "./registry.ts";

/** What is still missing before requests can be served; empty: ready. */
export type Readiness = () => readonly string[];

export interface AdminOptions {
  /** The pod's IP. */
  readonly host: string;
  /** 15020 in a pod; 0: any free one. */
  readonly port: number;
  readonly registry: MetricRegistry;
  readonly readiness: Readiness;
  /** What kubelet asks the application through this port, by path. */
  readonly probes: ReadonlyMap<string, ApplicationProbe>;
  /** For those probes. */
  readonly wheel: TimerWheel;
  /** What only this machine, or this pod, may ask; default: nothing. */
  readonly debug?: ReadonlyMap<string, PageMaker>;
  /** What PUT does there, by path; default: nothing can be changed. */
  readonly changes?: ReadonlyMap<string, PageMaker>;
}

/** Listens. Rejects where it can't: the port is in use. */
export async function openAdmin(options: AdminOptions): Promise<AdminServer> {
  const { host, port, registry, readiness, probes, wheel, debug = new Map<string, PageMaker>(), changes } = options;
  const pages = new Map<string, PageMaker>([
    ["/metrics", async ({ headers }) => ({ status: 200, ...(await registry.expose(formatFor(headers.accept ?? ""))) })],
    ["/ready", () => readinessPage(readiness())],
    ["/live", () => plainPage(200, "live")],
  ]);
  for (const [path, probe] of probes) pages.set(path, ({ socket }) => probePage(probe, host, wheel, socket));
  // Where pods are played on loopback, there is but one address for both.
  if (debug.size === 0 || isLoopback(host)) {
    return openAdminServer({ host, port, pages: new Map([...pages, ...debug]), ...(changes && { changes }) });
  }
  const open = await openAdminServer({ host, port, pages });
  try {
    const local = await openAdminServer({
      host: "127.0.0.1",
      port: open.port,
      pages: new Map([...pages, ...debug]),
      ...(changes && { changes }),
    });
    const close = async () => void (await Promise.all([open.close(), local.close()]));
    return { port: open.port, close };
  } catch (error) {
    await open.close();
    throw error;
  }
}

/** Prometheus names OpenMetrics first; whoever does not name it gets what everybody reads. */
function formatFor(accept: string): "openmetrics" | "text" {
  return /application\/openmetrics-text(?![^,]*;\s*q=0(?:\.0*)?(?:\s|,|$))/i.test(accept) ? "openmetrics" : "text";
}

async function probePage(probe: ApplicationProbe, podIp: string, wheel: TimerWheel, kubelet: Socket): Promise<Page> {
  const gone = new AbortController();
  const leave = () => gone.abort();
  kubelet.once("close", leave);
  const { status, says } = await askApplication(probe, podIp, wheel, gone.signal);
  kubelet.removeListener("close", leave);
  return plainPage(status, says);
}

function readinessPage(missing: readonly string[]) {
  return missing.length === 0 ? plainPage(200, "ready") : plainPage(503, `not ready: ${missing.join(", ")}`);
}
