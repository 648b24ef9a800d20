/**
 * One process that is kept running: restarted with growing delays when it exits, and stopped together with all that it started.
 *
 * ```
 *   idle ──start──▶ running ──exits──▶ waiting ──delay over──▶ running
 *    ▲                 │ stop             │ stop
 *    │                 ▼                  │
 *    └───exits──── stopping               │
 *    └────────────────────────────────────┘
 * ```
 *
 * It leads its own process group, so that Ctrl-C in the terminal reaches only the supervisor, and a signal reaches everything
 * that the process forked. It knows nothing of pods.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { LineSplitter } from "./line-splitter.ts";
import { signalIfAlive } from "./sweep.ts";

export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly restart?: RestartDelays;
  readonly onLine?: (line: string) => void;
  /** Called when it has ended without being asked to. */
  readonly onExit?: (exit: Exit) => void;
}

/** Like a kubelet's CrashLoopBackOff, only quicker. */
export interface RestartDelays {
  readonly firstMs: number;
  readonly maxMs: number;
  /** After a run of this length, delays start again at `firstMs`. */
  readonly resetAfterMs: number;
}

const defaultDelays: RestartDelays = { firstMs: 500, maxMs: 10_000, resetAfterMs: 10_000 };

export interface Exit {
  /** `exit code 1`, `SIGKILL`, `could not be started: …`. */
  readonly how: string;
  /** The last lines of its output, oldest first. */
  readonly lastLines: readonly string[];
  /** When it will be restarted; absent: not automatically. */
  readonly restartInMs?: number;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "running"; readonly child: ChildProcess; readonly sinceMs: number }
  | { readonly kind: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly kind: "stopping"; readonly child: ChildProcess; readonly stopped: Promise<void> };

const keptLines = 15;
const lastLinesPatienceMs = 200;

export class SupervisedProcess {
  readonly #options: ProcessOptions;
  readonly #delays: RestartDelays;
  #state: State = { kind: "idle" };
  #nextDelayMs: number;
  #lastLines: string[] = [];

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.#delays = options.restart ?? defaultDelays;
    this.#nextDelayMs = this.#delays.firstMs;
  }

  /** The process id, which is also its group's, while it runs. */
  get pid(): number | undefined {
    return this.#state.kind === "running" ? this.#state.child.pid : undefined;
  }

  /** The last lines that it wrote, oldest first. */
  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  start(): void {
    if (this.#state.kind !== "idle") return;
    this.#spawn();
  }

  /**
   * Asks it to end, and kills it after `graceMs`, or at once if that is 0. Resolves when it is gone; it stays stopped until
   * `start`. A second call may shorten the grace of the first.
   */
  async stop(graceMs: number): Promise<void> {
    switch (this.#state.kind) {
      case "idle":
        return;
      case "waiting":
        clearTimeout(this.#state.timer);
        this.#state = { kind: "idle" };
        return;
      case "stopping": {
        const { child, stopped } = this.#state;
        const timer = setTimeout(() => signalGroup(child, "SIGKILL"), graceMs);
        await stopped;
        clearTimeout(timer);
        return;
      }
      case "running": {
        const { child } = this.#state;
        const stopped = this.#end(child, graceMs);
        this.#state = { kind: "stopping", child, stopped };
        await stopped;
        this.#state = { kind: "idle" };
      }
    }
  }

  #spawn(): void {
    const { command, args, folder, env } = this.#options;
    this.#lastLines = [];
    const child = spawn(command, args, { cwd: folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.#state = { kind: "running", child, sinceMs: performance.now() };
    for (const stream of [child.stdout, child.stderr]) {
      const lines = new LineSplitter((line) => this.#keepLine(line));
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => lines.push(text));
      stream.on("end", () => lines.end());
    }
    child.once("error", (error) => this.#onEnd(child, `could not be started: ${error.message}`));
    child.once("exit", (code, signal) => {
      // As in a container: when the first process ends, so do all others.
      signalGroup(child, "SIGKILL");
      const end = () => this.#onEnd(child, signal ?? `exit code ${code ?? "unknown"}`);
      // "close" comes after its last line; a process that left the group may hold the pipes open for ever.
      child.once("close", end);
      setTimeout(end, lastLinesPatienceMs).unref();
    });
  }

  #keepLine(line: string): void {
    this.#lastLines.push(line);
    if (this.#lastLines.length > keptLines) this.#lastLines.shift();
    this.#options.onLine?.(line);
  }

  #onEnd(child: ChildProcess, how: string): void {
    if (this.#state.kind !== "running" || this.#state.child !== child) return;
    if (performance.now() - this.#state.sinceMs >= this.#delays.resetAfterMs) this.#nextDelayMs = this.#delays.firstMs;
    const restartInMs = this.#nextDelayMs;
    this.#nextDelayMs = Math.min(restartInMs * 2, this.#delays.maxMs);
    this.#state = { kind: "waiting", timer: setTimeout(() => this.#spawn(), restartInMs) };
    this.#options.onExit?.({ how, lastLines: this.#lastLines, restartInMs });
  }

  async #end(child: ChildProcess, graceMs: number): Promise<void> {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    signalGroup(child, graceMs > 0 ? "SIGTERM" : "SIGKILL");
    const timer = setTimeout(() => signalGroup(child, "SIGKILL"), graceMs);
    await gone;
    clearTimeout(timer);
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid !== undefined) signalIfAlive(-pid, signal);
}
