/**
 * The pages of the control plane's admin port: `/metrics`, `/ready` and `/live` for everyone. `/status`, which reveals every
 * policy and workload of the mesh, and the log level are on loopback only.
 */

import type { Registry } from "prom-client";
import { type AdminServer, openAdminServer } from "../system/admin-server.ts";
import type { Log, LogThreshold } from "../system/log.ts";
import { changeLogLevel, logLevelPath, showLogLevel } from "../system/log-level-page.ts";
import { isLoopback } from "../system/loopback-page.ts";
import { type PageMaker, plainPage } from "../system/page.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly registry: Registry;
  readonly ready: () => boolean;
  /** Plain data. */
  readonly status: () => unknown;
  readonly log: Log;
  readonly logThreshold: LogThreshold;
}

/** Rejects with a one-line error if the port can't be opened. */
export async function openAdmin(options: AdminOptions): Promise<AdminServer> {
  const { host, port, registry, ready, status, log, logThreshold } = options;
  const pages = new Map<string, PageMaker>([
    ["/metrics", async () => ({ status: 200, type: registry.contentType, text: await registry.metrics() })],
    ["/ready", () => (ready() ? plainPage(200, "ready") : plainPage(503, "not ready"))],
    ["/live", () => plainPage(200, "live")],
    [
      "/status",
      ({ remoteAddress }) =>
        isLoopback(remoteAddress)
          ? { status: 200, type: "application/json", text: `${JSON.stringify(status())}\n` }
          : plainPage(403, "only on loopback"),
    ],
    [logLevelPath, showLogLevel(logThreshold)],
  ]);
  const changes = new Map([[logLevelPath, changeLogLevel(logThreshold, log)]]);
  try {
    return await openAdminServer({ host, port, pages, changes });
  } catch (error) {
    throw new Error("can't listen", { cause: error });
  }
}
