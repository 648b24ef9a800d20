/** Recent events, for the foot of the screen; before the screen is up, and without one, they are printed as plain lines. */

import type { MeshEvent } from "../../../cli/dev/mesh-event.ts";
import { formatEvent } from "../../../cli/dev/report.ts";
import { plain } from "../../../cli/terminal.ts";

const kept = 20;
/** The most lines kept of one event: an exit may come with many last lines, and the screen has room for few. */
const keptOfOne = 3;

export class DemoEvents {
  /** Latest last, each with its time of day. */
  readonly lines: string[] = [];
  /** Problems that are not solved yet. */
  readonly problems = new Set<string>();
  readonly #print: (line: string) => void;
  /** While true, nothing is printed. */
  silent = false;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  readonly report = (event: MeshEvent): void => {
    if (event.kind === "output") return;
    if (event.kind === "problem") this.problems.add(event.text);
    if (event.kind === "solved") this.problems.delete(event.text);
    const lines = formatEvent(event, plain);
    const time = new Date().toTimeString().slice(0, 8);
    const [first = "", ...rest] = lines;
    this.lines.push(...[first, ...rest.slice(1 - keptOfOne)].map((line) => `${time} ${line}`));
    this.lines.splice(0, Math.max(this.lines.length - kept, 0));
    if (!this.silent) for (const line of lines) this.#print(line);
  };
}
