/**
 * Runs a document that says what to type and what one then sees: its blocks `sh`, and after some of them a block without a
 * language. They are typed into one shell, in order. A command that is followed by its output is repeated until that output
 * appears. Any other block must succeed, and is typed once.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { inputOf } from "../../support/program-input.ts";

export interface Step {
  /** The heading that it stands under. */
  readonly heading: string;
  readonly commands: string;
  /** Lines, `…` for anything; absent: nothing is said of it. */
  readonly shows?: readonly string[];
}

export function readSteps(file: string): readonly Step[] {
  const steps: Step[] = [];
  let heading = "";
  // A heading, or a fenced block and what follows it at once.
  const parts = /^## ([^\n]+)$|^```(\w*)\n(.*?)^```$(?:\n\n^```\n(.*?)^```$)?/gms;
  for (const [, title, language, commands = "", shows] of readFileSync(file, "utf8").matchAll(parts)) {
    if (title !== undefined) heading = title;
    else if (language === "sh") {
      const lines = shows?.trimEnd().split("\n");
      steps.push({ heading, commands, ...(lines !== undefined && { shows: lines }) });
    }
  }
  return steps;
}

/** Whether all lines are there, in any order, whatever stands between them and however wide their columns are. */
function isShown(wanted: readonly string[], seen: string): boolean {
  const lines = seen.split("\n");
  return wanted.every((line) => {
    const words = line
      .trim()
      .split(/\s+/)
      .map((word) => word.split("…").map(literally).join(".*"));
    const pattern = new RegExp(`^\\s*${words.join("\\s+").replaceAll("\\s+.*", "\\s*.*")}\\s*$`, "u");
    return lines.some((each) => pattern.test(each));
  });
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

const pollMs = 500;
const lookWithinMs = 60_000;
const done = "-- done --";
const ended = new RegExp(`^${done} (\\d+)\n`, "m");

/** One `bash` for all blocks: what runs in the background goes on until it is closed. */
export class Terminal implements Disposable {
  readonly #shell: ChildProcess;
  readonly #input: Writable;
  #seen = "";
  #hasEnded = false;
  /** Tells who waits that there is more. */
  #more: () => void = () => undefined;

  /** `setup` is what the reader's shell knows already. */
  constructor(folder: string, setup: string) {
    // In a process group of its own, so that what it leaves in the background ends with it.
    const shell = spawn("bash", [], { cwd: folder, stdio: "pipe", detached: true });
    for (const stream of [shell.stdout, shell.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#seen += text;
        this.#more();
      });
    shell.once("exit", () => {
      this.#hasEnded = true;
      this.#more();
    });
    this.#shell = shell;
    this.#input = inputOf(shell);
    this.#input.write(`${setup}\n`);
  }

  /** Undefined: it went as the document says; else what was seen instead. */
  async take({ commands, shows }: Step): Promise<string | undefined> {
    if (shows === undefined) {
      const { code, seen } = await this.#type(`set -e\n${commands}`);
      return code === 0 ? undefined : seen;
    }
    const endAtMs = performance.now() + lookWithinMs;
    for (;;) {
      const { seen } = await this.#type(commands);
      if (isShown(shows, seen)) return undefined;
      if (performance.now() > endAtMs) return seen;
      await sleep(pollMs);
    }
  }

  [Symbol.dispose](): void {
    if (this.#shell.pid !== undefined && !this.#hasEnded) process.kill(-this.#shell.pid);
  }

  /** Both outputs, to the end of the last command; a shell that ends has failed. */
  async #type(commands: string): Promise<{ readonly code: number; readonly seen: string }> {
    this.#seen = "";
    this.#input.write(`{\n${commands}\n} </dev/null\nprintf "\\n${done} %d\\n" $?; set +e\n`);
    for (;;) {
      const code = ended.exec(this.#seen)?.[1];
      if (code !== undefined) return { code: Number(code), seen: this.#seen.replace(ended, "") };
      if (this.#hasEnded) return { code: 1, seen: this.#seen };
      await new Promise<void>((resolve) => {
        this.#more = resolve;
      });
    }
  }
}
