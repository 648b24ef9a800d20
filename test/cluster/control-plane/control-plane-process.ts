/** The control plane as a process on a cluster, as its Deployment would run it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { collectLog, type LogLine } from "../../support/process-log.ts";

const main = join(import.meta.dirname, "../../../control-plane/main.ts");

export interface Ports {
  readonly discovery: number;
  readonly identity: number;
  readonly admin: number;
}

export class ControlPlaneProcess {
  /** Each line of its log, parsed. */
  readonly lines: readonly LogLine[];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** It is not ready yet. */
  constructor(kubeconfig: string, ...more: string[]) {
    const servers = ["discovery", "identity", "admin", "dashboard", "webhook"];
    const ports = servers.flatMap((server) => [`--${server}-port`, "0"]);
    this.#child = spawn(process.execPath, [main, "--kubeconfig", kubeconfig, ...ports, ...more], {
      stdio: ["ignore", "inherit", "pipe"],
    });
    this.#ended = once(this.#child, "exit");
    if (this.#child.stderr === null) throw new Error("no log");
    this.lines = collectLog(this.#child.stderr);
  }

  /** The lines of its log with this message. */
  said(message: string): readonly LogLine[] {
    return this.lines.filter((line) => line["message"] === message);
  }

  /** Where it listens, once it is ready. */
  get ports(): Ports | undefined {
    const [line] = this.said("control plane ready");
    return (
      line && { discovery: Number(line["discovery"]), identity: Number(line["identity"]), admin: Number(line["admin"]) }
    );
  }

  /** With its exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child.kill(signal);
    await this.#ended;
    return this.#child.exitCode;
  }
}
