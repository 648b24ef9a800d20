/**
 * The active streams of a connection, by id. A hash table in one array, because of what a `Map` does to the garbage
 * collector: as streams come and go it must be rebuilt every few dozen requests, and each version keeps its predecessors
 * alive, with the streams they held, until the next full collection.
 */

import type { Http2Stream } from "./stream.ts";

const fewestPlaces = 16;
/** An empty table keeps this many: where requests come in bursts it would else be laid out anew for each. */
const keptPlaces = 128;

export class StreamTable {
  /** Each stream is at its own place or behind it, with no free one between. The length is a power of two. */
  #places: (Http2Stream | undefined)[] = emptyPlaces(fewestPlaces);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get(id: number): Http2Stream | undefined {
    return this.#places[this.#find(id)];
  }

  /** A stream whose id is not in the table. */
  add(stream: Http2Stream): void {
    if (this.#count * 2 >= this.#places.length) this.#resize(this.#places.length * 2);
    this.#places[this.#find(stream.id)] = stream;
    this.#count++;
  }

  delete(id: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let free = this.#find(id);
    if (places[free] === undefined) return;
    this.#count--;
    places[free] = undefined;
    // Those behind it move up, unless that would be before their own place.
    for (let at = (free + 1) & mask; ; at = (at + 1) & mask) {
      const stream = places[at];
      if (stream === undefined) break;
      const distance = (at - ownPlace(stream.id, mask)) & mask;
      if (distance < ((at - free) & mask)) continue;
      places[free] = stream;
      places[at] = undefined;
      free = at;
    }
    if (this.#count === 0 && places.length > keptPlaces) this.#places = emptyPlaces(fewestPlaces);
  }

  /** As they are now: who goes through them may end some. */
  values(): Http2Stream[] {
    return this.#places.filter((stream) => stream !== undefined);
  }

  /** Where it is, or would be. */
  #find(id: number): number {
    const places = this.#places;
    const mask = places.length - 1;
    let at = ownPlace(id, mask);
    for (let stream = places[at]; stream !== undefined && stream.id !== id; stream = places[at]) at = (at + 1) & mask;
    return at;
  }

  #resize(length: number): void {
    const streams = this.values();
    this.#places = emptyPlaces(length);
    for (const stream of streams) this.#places[this.#find(stream.id)] = stream;
  }
}

/** All ids of an end are odd, or all even, and ascend: neighbours in time are neighbours here. */
function ownPlace(id: number, mask: number): number {
  return (id >>> 1) & mask;
}

function emptyPlaces(length: number): (Http2Stream | undefined)[] {
  return Array.from({ length }, () => undefined);
}
