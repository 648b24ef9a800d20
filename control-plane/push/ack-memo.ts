/**
 * Sidecars that are told the same answer the same, octet by octet: of a thousand acks of one version, one is decoded, and none
 * of the others becomes a string or an object. It knows no messages: who decodes one that is new has it kept.
 */

import type { ResourceName } from "../compile/compiler.ts";
import type { ResourceKey } from "./resource-key.ts";

export interface Ack extends ResourceName {
  /** Of kind and name. */
  readonly key: ResourceKey;
  readonly version: string;
}

/** So many versions may be under way at a time; with more, some acks are decoded twice. */
const keptAcks = 256;
/** Of the longest name and its version. */
const longestBytes = 640;

export class AckMemo {
  /** By the last octets: those are its version's, which is a hash. */
  readonly #kept = new Map<number, { readonly bytes: Buffer; readonly ack: Ack }>();

  /** Undefined: it is no ack, or one that was not kept. */
  find(bytes: Buffer): Ack | undefined {
    const kept = this.#kept.get(endOf(bytes));
    return kept?.bytes.equals(bytes) === true ? kept.ack : undefined;
  }

  /** What the bytes say, and all that they say. */
  keep(bytes: Buffer, ack: Ack): void {
    if (bytes.length > longestBytes) return;
    if (this.#kept.size === keptAcks) this.#kept.clear();
    this.#kept.set(endOf(bytes), { bytes: Buffer.from(bytes), ack });
  }
}

/** 30 bits of it: what V8 keeps as a small number. */
function endOf(bytes: Buffer): number {
  const { length } = bytes;
  return length < 4 ? 0 : bytes.readUInt32LE(length - 4) & 0x3fffffff;
}
