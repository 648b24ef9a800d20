/**
 * Sidecars that receive the same bytes answer with the same bytes. So of a thousand acks of one version one is decoded, and the
 * others become neither a string nor an object. It knows no messages: the caller that decodes a new one asks for it to be kept.
 */

import type { ResourceName } from "../compile/compiler.ts";
import type { ResourceKey } from "./resource-key.ts";

export interface Ack extends ResourceName {
  /** The key of kind and name. */
  readonly key: ResourceKey;
  readonly version: string;
}

/** This many versions may be under way at a time; beyond that, some acks are decoded twice. */
const keptAcks = 256;
/** Room for the longest name and its version. */
const longestBytes = 640;

export class AckMemo {
  /** By the last octets, which belong to the version, a hash. */
  readonly #kept = new Map<number, { readonly bytes: Buffer; readonly ack: Ack }>();

  /** Undefined: not an ack, or one that was not kept. */
  find(bytes: Buffer): Ack | undefined {
    const kept = this.#kept.get(endOf(bytes));
    return kept?.bytes.equals(bytes) === true ? kept.ack : undefined;
  }

  /** `ack` must be everything that the bytes say. */
  keep(bytes: Buffer, ack: Ack): void {
    if (bytes.length > longestBytes) return;
    if (this.#kept.size === keptAcks) this.#kept.clear();
    this.#kept.set(endOf(bytes), { bytes: Buffer.from(bytes), ack });
  }
}

/** 30 bits of the end: V8 stores that as a small integer. */
function endOf(bytes: Buffer): number {
  const { length } = bytes;
  return length < 4 ? 0 : bytes.readUInt32LE(length - 4) & 0x3fffffff;
}
