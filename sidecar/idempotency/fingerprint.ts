/** Tells whether two requests are the same without storing either: a digest that is updated as the body streams by. */

import { createHash } from "node:crypto";
import type { Exchange } from "../net/exchange.ts";

/**
 * Fields that make another request of one with the same target and body. The authorization is among them, so that one
 * user of a workload is never given the answer to another.
 */
const tellingFields = ["authorization", "content-type", "content-encoding"];

export class Fingerprint {
  readonly #hash = createHash("sha256");
  #bytes = 0;

  constructor({ target, method, authority, path, headers }: Exchange) {
    const fields = tellingFields.flatMap((name) => headers.all(name).map((value) => [name, value]));
    this.#hash.update(JSON.stringify([target?.port, method, authority.toLowerCase(), path, fields]));
  }

  /** Of the body so far. */
  get bytes(): number {
    return this.#bytes;
  }

  update(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#hash.update(chunk);
  }

  /** To be called once, when the body has ended. */
  digest(): string {
    return this.#hash.digest("base64url");
  }
}

/**
 * The name under which the answer to a keyed request is kept: keys of different callers are different names. Callers without
 * an identity share one.
 */
export function nameOfKey(peer: string | undefined, key: string): string {
  // No SPIFFE id has a space in it.
  return createHash("sha256")
    .update(`${peer ?? ""} ${key}`)
    .digest("base64url");
}
