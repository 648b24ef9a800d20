/**
 * Cuts a process's output into lines of at most `maxLineLength` characters: a process that never ends a line costs no more than
 * that.
 */

const maxLineLength = 4_096;

export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#emit(line);
    if (this.#rest.length > maxLineLength) this.end();
  }

  /** The output has ended: an unfinished line counts too. */
  end(): void {
    if (this.#rest !== "") this.#emit(this.#rest);
    this.#rest = "";
  }

  #emit(line: string): void {
    this.#onLine(line.replace(/\r$/, "").slice(0, maxLineLength));
  }
}
