/**
 * The processes of one bench: each is started in the foreground of its own group, and ended by its id, in reverse order.
 * Nothing outlives the bench: not after an error or Ctrl-C, and not even a proxy that ignores SIGTERM.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly folder?: string;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const graceMs = 5_000;
const keptOutputCharacters = 2_000;
const pollMs = 20;

/** The processes that were started here and still run. `await using` ends them all. */
export class Processes implements AsyncDisposable {
  readonly #children: ChildProcess[] = [];
  readonly #onExit = (): void => {
    for (const child of this.#children) signal(child, "SIGKILL");
  };

  constructor() {
    process.once("exit", this.#onExit);
  }

  /** Its standard error is shown if it ends by itself. */
  start({ command, args, env = process.env, folder }: Command): number {
    const stdio = ["ignore", "ignore", "pipe"] as const;
    const child = spawn(command, args, { env, stdio: [...stdio], detached: true, ...(folder && { cwd: folder }) });
    this.#children.push(child);
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-keptOutputCharacters);
    });
    child.once("error", (error) => {
      said = error.message;
    });
    child.once("exit", (code, by) => {
      const known = this.#children.indexOf(child);
      if (known === -1) return;
      this.#children.splice(known, 1);
      process.stderr.write(`bench: ${command} ended by itself (${by ?? `exit code ${code}`})\n${said}\n`);
    });
    if (child.pid === undefined) throw new Error(`${command} could not be started`);
    return child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#onExit);
    // The last one first: an outbound proxy ends before the inbound one that it talks to.
    for (const child of this.#children.splice(0).reverse()) await end(child);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  signal(child, "SIGTERM");
  const timer = setTimeout(() => signal(child, "SIGKILL"), graceMs);
  await gone;
  clearTimeout(timer);
}

/** Signals the whole group, so that workers forked by a proxy end too. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Runs a program to its end, for `seconds` at most, and returns what it printed. */
export async function run({ command, args, env = process.env }: Command, seconds: number): Promise<string> {
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: seconds * 1_000 });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-keptOutputCharacters);
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} failed (exit code ${code}): ${errors}`);
  return output;
}

/** Waits until a process listens there. */
export async function whenListening({ host, port }: Endpoint, withinMs = 20_000): Promise<void> {
  await until(() => connects({ host, port }), `nothing listens on ${host}:${port}`, withinMs);
}

/** Polls until the condition holds; for changes that no event announces. */
export async function until(holds: () => Promise<boolean>, otherwise: string, withinMs: number): Promise<void> {
  const giveUpAtMs = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`${otherwise} after ${withinMs / 1_000} s`);
    await sleep(pollMs);
  }
}

function connects({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
