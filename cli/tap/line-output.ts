/**
 * Lines for a reader who may pause, such as a pager that nobody scrolls. A little is kept for it; what comes on top of that is
 * left out and counted, so that a pause of an hour costs no memory. It writes lines; what they say is its caller's business.
 */

import type { Writable } from "node:stream";

/** Some thousands of lines. */
const maxWaitingBytes = 1024 * 1024;

export class LineOutput {
  readonly #output: Pick<Writable, "write" | "writableLength">;
  readonly #onResumed: (leftOut: number) => void;
  #leftOut = 0;

  /** `onResumed` is called before the first line after a pause in which lines were left out. */
  constructor(output: Pick<Writable, "write" | "writableLength">, onResumed: (leftOut: number) => void) {
    this.#output = output;
    this.#onResumed = onResumed;
  }

  /** Returns false if the line was left out. */
  write(line: string): boolean {
    if (this.#output.writableLength >= maxWaitingBytes) {
      this.#leftOut++;
      return false;
    }
    if (this.#leftOut > 0) {
      this.#onResumed(this.#leftOut);
      this.#leftOut = 0;
    }
    this.#output.write(`${line}\n`);
    return true;
  }
}
