/** The control plane's process, and the problems that it reports about the folder. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../../control-plane/status-page.ts";
import { UsageError } from "../usage-error.ts";
import { controlPlanePorts } from "./addresses.ts";
import type { Report } from "./mesh-event.ts";
import type { PodIdentity } from "./pod-object.ts";
import { passes } from "./readiness.ts";
import { type Exit, type ProcessOptions, SupervisedProcess } from "./supervised-process.ts";

const pollMs = 250;
const requestTimeoutMs = 1_000;
const startPatienceMs = 20_000;
const graceMs = 3_000;
/** The exit code of a program that needs the user's help: its last line says how. */
const usageExit = "exit code 2";

export class ControlPlane {
  readonly address: string;
  readonly #process: SupervisedProcess;
  readonly #report: Report;
  #problems: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #firstExit: Exit | undefined;
  #started = false;

  constructor(address: string, options: ProcessOptions, report: Report) {
    this.address = address;
    this.#report = report;
    this.#process = new SupervisedProcess({ ...options, onExit: (exit) => this.#onExit(exit) });
  }

  /** Resolves when it is ready. Throws a `UsageError` with the control plane's own message if it can't start. */
  async start(signal: AbortSignal): Promise<void> {
    const giveUpAtMs = performance.now() + startPatienceMs;
    this.#process.start();
    while (!(await this.#isReady())) {
      const words = this.#process.lastLines.at(-1) ?? this.#firstExit?.lastLines.at(-1) ?? "no output";
      if (this.#firstExit !== undefined) throw new UsageError(`the control plane can't start: ${words}`);
      if (performance.now() > giveUpAtMs) throw new UsageError(`the control plane does not become ready: ${words}`);
      await sleep(pollMs / 5, undefined, { signal });
    }
    this.#started = true;
    this.#schedulePoll();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#process.stop(graceMs);
  }

  /** Behaves as if its machine lost power. `restore` starts it again. */
  async lose(): Promise<void> {
    await this.#process.stop(0);
  }

  restore(): void {
    this.#process.start();
  }

  /**
   * Whether the control plane considers these pods ready, and every sidecar has confirmed what it received. False while it does
   * not answer.
   */
  async hasTold(pods: readonly PodIdentity[]): Promise<boolean> {
    const status = await this.#fetchStatus();
    if (status === undefined) return false;
    const ready = new Set(status.readyPods);
    return (
      pods.every(({ namespace, pod }) => ready.has(`${namespace}/${pod}`)) &&
      status.resources.every(({ laggards }) => laggards.length === 0)
    );
  }

  #isReady(): Promise<boolean> {
    const check = { kind: "http", port: controlPlanePorts.admin, path: "/ready" } as const;
    return passes(check, this.address, requestTimeoutMs);
  }

  #onExit(exit: Exit): void {
    if (this.#started) this.#report({ kind: "exited", process: "control plane", exit });
    else this.#firstExit = exit.how === usageExit ? exit : { ...exit, lastLines: [...exit.lastLines, exit.how] };
  }

  #schedulePoll(): void {
    this.#timer = setTimeout(() => {
      void this.#poll().then(() => {
        if (this.#timer !== undefined) this.#schedulePoll();
      });
    }, pollMs);
  }

  async #poll(): Promise<void> {
    const status = await this.#fetchStatus();
    if (status === undefined) return;
    // The lines as they are: `policies.yaml:12 spec.maxAttemps: unknown field`.
    const problems = new Set(status.problems);
    for (const text of problems) if (!this.#problems.has(text)) this.#report({ kind: "problem", text });
    for (const text of this.#problems) if (!problems.has(text)) this.#report({ kind: "solved", text });
    this.#problems = problems;
  }

  /** Undefined while it does not answer. */
  async #fetchStatus(): Promise<Status | undefined> {
    try {
      const signal = AbortSignal.timeout(requestTimeoutMs);
      const response = await fetch(`http://${this.address}:${controlPlanePorts.admin}/status`, { signal });
      return response.ok ? ((await response.json()) as Status) : undefined;
    } catch {
      return undefined;
    }
  }
}
