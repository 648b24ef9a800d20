/**
 * What a fuzzer's thread and the thread that watches it tell each other. A search is two threads, one after the other: to look
 * at blocks costs several times what most inputs cost.
 * ```
 *   guided: inputs that reach new blocks join the corpus ──▶ free: as many more as there is time for, made of that
 * ```
 */

export interface SearchOptions {
  readonly target: string;
  readonly seed: number;
  readonly maxInputs: number;
  readonly seconds: number;
  /** The input that is being checked, for whoever finds this thread stuck or dead. */
  readonly current: SharedArrayBuffer;
  /** What a guided search has found: this one is free. Undefined: this one is guided, and begins with the corpus there is. */
  readonly found: readonly Uint8Array[] | undefined;
  /** Of a guided search: whether to look for the fewest inputs that reach as much. */
  readonly minimise: boolean;
}

export type SearchReport =
  | {
      readonly kind: "held";
      readonly inputs: number;
      readonly seconds: number;
      /** By the guided search: the corpus, what was added to it, and how much it reaches. */
      readonly corpus: readonly Uint8Array[];
      readonly found: number;
      readonly reachedCharacters: number;
      /** With `minimise`. */
      readonly fewest: readonly Uint8Array[] | undefined;
    }
  | { readonly kind: "failed"; readonly inputs: number; readonly why: string };

/** The input in shared memory: how many were begun, the length of the last, and its bytes. */
export class CurrentInput {
  readonly memory: SharedArrayBuffer;
  readonly #numbers: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8 + 64 * 1024)) {
    this.memory = memory;
    this.#numbers = new Int32Array(memory, 0, 2);
    this.#bytes = new Uint8Array(memory, 8);
  }

  set(input: Uint8Array): void {
    this.#bytes.set(input);
    this.#numbers[1] = input.length;
    Atomics.add(this.#numbers, 0, 1);
  }

  get count(): number {
    return Atomics.load(this.#numbers, 0);
  }

  get bytes(): Buffer {
    return Buffer.from(this.#bytes.slice(0, this.#numbers[1]));
  }
}
