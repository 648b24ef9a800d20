/**
 * The pages of the sidecar's admin port: `/metrics`, `/ready` and `/live` for kubelet and Prometheus, open to the pod network.
 * Nothing that changes or dumps anything belongs here: that listens on loopback.
 */

import { type AdminServer, openAdminServer, type PageMaker, plainPage } from "../../system/admin-server.ts";
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
}

/** Listens. Rejects where it can't: the port is in use. */
export function openAdmin({ host, port, registry, readiness }: AdminOptions): Promise<AdminServer> {
  const pages = new Map<string, PageMaker>([
    ["/metrics", async () => ({ status: 200, type: registry.contentType, text: await registry.expose() })],
    ["/ready", () => readinessPage(readiness())],
    ["/live", () => plainPage(200, "live")],
  ]);
  return openAdminServer({ host, port, pages });
}

function readinessPage(missing: readonly string[]) {
  return missing.length === 0 ? plainPage(200, "ready") : plainPage(503, `not ready: ${missing.join(", ")}`);
}
