/** Third-party programs that a test runs: started with a folder of their own, stopped by id, their output kept for failures. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";

const startPatienceMs = 30_000;
const stopPatienceMs = 5_000;
const keptWords = 4_000;

export class StartedProgram implements AsyncDisposable {
  readonly folder: string;
  readonly #child: ChildProcess;
  #words = "";

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.#words = (this.#words + chunk.toString()).slice(-keptWords);
      });
  }

  /** Resolves when `readyUrl` answers with 200. `install` says how to get a program that is not there. */
  static async start(options: {
    readonly command: string;
    readonly args: (folder: string) => readonly string[];
    readonly readyUrl: string;
    readonly install: string;
  }): Promise<StartedProgram> {
    const folder = mkdtempSync(join(tmpdir(), "tulle-observability-"));
    const child = spawn(options.command, options.args(folder), { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    const program = new StartedProgram(folder, child);
    const failed = once(child, "error").then(([error]) => {
      throw new Error(`${options.command} does not start: ${options.install}`, { cause: error });
    });
    try {
      await Promise.race([failed, eventually(() => program.#answers(options.readyUrl), startPatienceMs)]);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw new Error(`${options.command}: ${program.#words}`, { cause: error });
    }
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), stopPatienceMs);
      await exited;
      clearTimeout(timer);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #answers(url: string): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`it has ended with ${this.#child.exitCode}`);
    // Refused until it listens.
    return await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  }
}

/** Of 127.0.0.1; all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (typeof address === "object" && address !== null) ports.push(address.port);
  }
  for (const server of servers) {
    server.close();
    await once(server, "close");
  }
  return ports;
}
