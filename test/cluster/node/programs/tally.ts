/** What a server has counted of its callers' POSTs, told to LEDGER again and again, and for the last time when it ends. */

const everyMs = 1_000;

export class Tally {
  readonly #ledger: string;
  readonly #counted: string[] = [];
  /** So many of them has the ledger for certain. */
  #told = 0;
  readonly #telling: NodeJS.Timeout;

  constructor(ledger: string) {
    this.#ledger = ledger;
    this.#telling = setInterval(() => {
      this.#tell(false).catch(() => {}); // it is told the next time
    }, everyMs);
  }

  /** `id`: the caller's name, and its number for the POST. */
  count(id: string): void {
    this.#counted.push(id);
  }

  /** By then nothing is served any more: the application is about to end, and calls out all the same. */
  async close(): Promise<void> {
    clearInterval(this.#telling);
    await this.#tell(true);
  }

  /** What arrived before is known to the ledger by its place. */
  async #tell(isLast: boolean): Promise<void> {
    const [from, to] = [this.#told, this.#counted.length];
    if (from === to && !isLast) return;
    const told = { pod: process.env["HOSTNAME"], from, counted: this.#counted.slice(from), isLast };
    const { ok, status } = await fetch(this.#ledger, { method: "POST", body: JSON.stringify(told) });
    if (!ok) throw new Error(`the ledger answers ${status}`);
    this.#told = Math.max(this.#told, to);
  }
}
