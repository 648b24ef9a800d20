/**
 * Limits how many bytes of incomplete messages all calls of a port may hold, so that nobody fills the memory with
 * beginnings.
 */
export class ReadingBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Accounts for one call, which held `before` bytes and now holds `now`. False: that is too much for all, and this call must
   * end.
   */
  change(before: number, now: number): boolean {
    this.#heldBytes += now - before;
    // Small messages always pass; a client that begins a large one when the room is taken is refused, and may try again.
    return this.#heldBytes <= this.#maxBytes || now <= smallBytes;
  }
}

/** The size that every message may reach, however full the room is. */
const smallBytes = 16 * 1024;
