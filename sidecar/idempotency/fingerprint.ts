/** Tells whether two requests are the same without storing either: a digest that is updated as the body streams by. */

import { createHash } from "node:crypto";
import type { Exchange } from "../net/exchange.ts";

/**
 * Fields that make two requests with the same target and body different. The authorization is one of them, so that one user of a
 * workload never gets the answer to another.
 */
const identifyingFields = ["authorization", "content-type", "content-encoding"];

export class Fingerprint {
  readonly #hash = createHash("sha256");
  #bytes = 0;

  constructor({ target, method, authority, path, headers }: Exchange) {
    const fields = identifyingFields.flatMap((name) => headers.all(name).map((value) => [name, value]));
    this.#hash.update(JSON.stringify([target?.port, method, authority.toLowerCase(), path, fields]));
  }

  /** The length of the body so far. */
  get bytes(): number {
    return this.#bytes;
  }

  update(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#hash.update(chunk);
  }

  /** Call it once, when the body has ended. */
  digest(): string {
    return this.#hash.digest("base64url");
  }
}

/**
 * The name under which the answer to a keyed request is stored. It includes the caller, so that the keys of different callers
 * differ. Callers without an identity share one.
 */
export function nameOfKey(peer: string | undefined, key: string): string {
  // No SPIFFE id has a space in it.
  return createHash("sha256")
    .update(`${peer ?? ""} ${key}`)
    .digest("base64url");
}
