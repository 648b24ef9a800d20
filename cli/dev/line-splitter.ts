/** Cuts a process's output into lines, at most `maxLineLength` characters each: a process that never ends a line costs no more. */

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

  /** The output is over: an unfinished line is one as well. */
  end(): void {
    if (this.#rest !== "") this.#emit(this.#rest);
    this.#rest = "";
  }

  #emit(line: string): void {
    this.#onLine(line.replace(/\r$/, "").slice(0, maxLineLength));
  }
}
