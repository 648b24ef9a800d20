/**
 * The streams that closed last and how, so that a frame that was on its way when we reset its stream is told from a
 * breach of the protocol (RFC 9113 §5.1, "closed"). Two short rings: what is forgotten is treated with lenience.
 */

export type Closing = "ended" | "reset-here" | "reset-there";

/** How many streams may still have frames on their way when we reset them. */
const rememberedResets = 512;
/** Only needed to name the right error, so a few are enough. */
const rememberedEnds = 16;

class Ring {
  #ids: Uint32Array | undefined;
  readonly #size: number;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  add(id: number): void {
    this.#ids ??= new Uint32Array(this.#size);
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % this.#size;
  }

  has(id: number): boolean {
    return this.#ids?.includes(id) ?? false;
  }
}

export class ClosedStreams {
  readonly #resetHere = new Ring(rememberedResets);
  readonly #resetThere = new Ring(rememberedEnds);
  readonly #ended = new Ring(rememberedEnds);

  note(id: number, closing: Closing): void {
    if (closing === "ended") this.#ended.add(id);
    else if (closing === "reset-here") this.#resetHere.add(id);
    else this.#resetThere.add(id);
  }

  /** Undefined: it closed too long ago, or was never opened. */
  find(id: number): Closing | undefined {
    if (this.#resetHere.has(id)) return "reset-here";
    if (this.#resetThere.has(id)) return "reset-there";
    return this.#ended.has(id) ? "ended" : undefined;
  }
}
