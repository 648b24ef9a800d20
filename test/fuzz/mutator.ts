/** Makes inputs out of others: small changes of bytes, or whole parts moved, dropped and borrowed. */

import type { Random } from "../../model/clock.ts";
import type { Target } from "./target.ts";

const noBytes = Buffer.alloc(0);
const maxChanges = 5;
/** A change of bytes replaces, doubles or borrows no more than this. */
const longestRun = 12;

export class Mutator {
  readonly #target: Target;
  readonly #random: Random;
  readonly #corpus: readonly Buffer[];

  /** `corpus` may grow meanwhile; it is never empty. */
  constructor(target: Target, corpus: readonly Buffer[], random: Random) {
    this.#target = target;
    this.#corpus = corpus;
    this.#random = random;
  }

  next(): Buffer {
    const changes = 1 + this.#below(maxChanges);
    let input = this.#pick(this.#corpus);
    for (let i = 0; i < changes; i++)
      input = this.#random() < 0.4 ? this.#changeParts(input) : this.#changeWithin(input);
    return input.subarray(0, this.#target.maxInputBytes);
  }

  #below(length: number): number {
    return Math.floor(this.#random() * length);
  }

  /** What was found last is looked at more often. */
  #pick(from: readonly Buffer[]): Buffer {
    const at = this.#random() < 0.5 ? this.#random() : Math.sqrt(this.#random());
    return from[Math.floor(at * from.length)] ?? noBytes;
  }

  #changeParts(input: Buffer): Buffer {
    const parts = this.#target.split(input);
    const at = this.#below(parts.length + 1);
    const others = this.#target.split(this.#pick(this.#corpus));
    switch (this.#below(5)) {
      case 0:
        parts.splice(at, 1);
        break;
      case 1:
        parts.splice(at, 0, parts[this.#below(parts.length)] ?? noBytes);
        break;
      case 2:
        parts.splice(at, this.#below(2), others[this.#below(others.length)] ?? noBytes);
        break;
      case 3:
        parts.splice(at, parts.length, ...others.slice(this.#below(others.length)));
        break;
      default:
        parts.splice(this.#below(parts.length), 0, ...parts.splice(at, 1));
    }
    return this.#target.join(parts);
  }

  /** Inside one part, whose length is then told truly, or anywhere, and then it may be told wrongly. */
  #changeWithin(input: Buffer): Buffer {
    if (this.#random() < 0.5) return this.#changeBytes(input);
    const parts = this.#target.split(input);
    const at = this.#below(parts.length);
    parts[at] = this.#changeBytes(parts[at] ?? noBytes);
    return this.#target.join(parts);
  }

  #changeBytes(bytes: Buffer): Buffer {
    const at = this.#below(bytes.length + 1);
    const replaced = this.#random() < 0.5 ? 0 : this.#below(longestRun);
    return Buffer.concat([bytes.subarray(0, at), this.#insertion(bytes, at), bytes.subarray(at + replaced)]);
  }

  #insertion(bytes: Buffer, at: number): Buffer {
    switch (this.#below(6)) {
      case 0:
      case 1:
        return this.#target.dictionary[this.#below(this.#target.dictionary.length)] ?? noBytes;
      case 2:
        return Buffer.of(this.#below(256));
      case 3:
        return Buffer.of((bytes[at] ?? 0) ^ (1 << this.#below(8)));
      case 4:
        return bytes.subarray(at, at + this.#below(longestRun));
      default: {
        const other = this.#pick(this.#corpus);
        const from = this.#below(other.length);
        return other.subarray(from, from + this.#below(longestRun));
      }
    }
  }
}
