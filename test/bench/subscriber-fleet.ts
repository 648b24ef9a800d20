/** The parent's side of `subscribers.ts`: one process with many subscribers, the orders it gets and the reports it gives. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Credentials } from "../../sidecar/identity/credentials.ts";

export interface Connect {
  readonly kind: "connect";
  /** `host:port` of Discovery. */
  readonly address: string;
  readonly controlPlaneIdentity: string;
  readonly credentials: Credentials;
  readonly namespace: string;
  /** The Service ports that each subscriber dials. */
  readonly subscribers: readonly (readonly string[])[];
}

export interface Await {
  readonly kind: "await";
  readonly updates: number;
}

export type Order = Connect | Await;

export type Report =
  | { readonly kind: "connected" }
  /** In nanoseconds on the machine's monotonic clock, which all its processes share. */
  | { readonly kind: "arrived"; readonly atNs: readonly string[] }
  | { readonly kind: "failed"; readonly reason: string };

export class SubscriberFleet implements AsyncDisposable {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, "subscribers.ts"));

  /** Resolves when each subscriber has received everything it subscribed to. */
  async connect(order: Omit<Connect, "kind">): Promise<void> {
    await this.#ask({ kind: "connect", ...order });
  }

  /**
   * Resolves with the arrival times once this many updates have come since the last call; rejects if they don't within a
   * minute.
   */
  async arrivals(updates: number): Promise<readonly bigint[]> {
    const report = await this.#ask({ kind: "await", updates });
    const atNs = report.kind === "arrived" ? report.atNs.map(BigInt) : [];
    if (atNs.length < updates) throw new Error(`${atNs.length} updates came of ${updates}`);
    return atNs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.disconnect();
    await gone;
  }

  async #ask(order: Order): Promise<Report> {
    const answer = once(this.#child, "message");
    this.#child.send(order);
    const [report] = (await answer) as [Report];
    if (report.kind === "failed") throw new Error(report.reason);
    return report;
  }
}
