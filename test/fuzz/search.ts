/** What a fuzzer's thread and the thread that watches it tell each other. */

export interface SearchOptions {
  readonly target: string;
  readonly seed: number;
  readonly maxInputs: number;
  readonly seconds: number;
  /** The input that is being checked, for whoever finds this thread stuck or dead. */
  readonly current: SharedArrayBuffer;
  /** Whether to put the fewest inputs that reach as much in the corpus's place. */
  readonly minimise: boolean;
}

export type SearchReport =
  | {
      readonly kind: "held";
      readonly inputs: number;
      readonly seconds: number;
      readonly found: number;
      readonly reachedCharacters: number;
      /** With `minimise`. */
      readonly corpus: readonly Uint8Array[] | undefined;
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
