/**
 * Limits how many bytes of incomplete messages all calls of a port may hold, so that nobody fills the memory with
 * beginnings.
 */
export class ReadingBudget {
  readonly #mostBytes: number;
  #heldBytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Of one call: it held `before` bytes, and holds `now`. False: that is too much for all, and this one has to go. */
  change(before: number, now: number): boolean {
    this.#heldBytes += now - before;
    // Small ones pass: who begins a large message when others have filled the room is asked to come again.
    return this.#heldBytes <= this.#mostBytes || now <= smallBytes;
  }
}

/** What a message gets from the start, whatever its length. */
const smallBytes = 16 * 1024;
