/**
 * The pages of the control plane's admin port: `/metrics`, `/ready`, `/live` for everyone, `/status` on loopback only, since
 * it tells of every policy and workload of the mesh.
 */

import type { Registry } from "prom-client";
import { type AdminServer, openAdminServer, type PageMaker, plainPage } from "../system/admin-server.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly registry: Registry;
  readonly ready: () => boolean;
  /** Plain data. */
  readonly status: () => unknown;
}

/** Rejects in one plain line where the port can't be had. */
export async function openAdmin({ host, port, registry, ready, status }: AdminOptions): Promise<AdminServer> {
  const pages = new Map<string, PageMaker>([
    ["/metrics", async () => ({ status: 200, type: registry.contentType, text: await registry.metrics() })],
    ["/ready", () => (ready() ? plainPage(200, "ready") : plainPage(503, "not ready"))],
    ["/live", () => plainPage(200, "live")],
    [
      "/status",
      ({ socket }) =>
        isLoopback(socket.remoteAddress ?? "")
          ? { status: 200, type: "application/json", text: `${JSON.stringify(status())}\n` }
          : plainPage(403, "only on loopback"),
    ],
  ]);
  try {
    return await openAdminServer({ host, port, pages });
  } catch (error) {
    throw new Error("can't listen", { cause: error });
  }
}

export function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}
