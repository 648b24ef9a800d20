/**
 * The active streams of a connection, by id. A hash table in one array, because of what a `Map` does to the garbage
 * collector: as streams come and go it must be rebuilt every few dozen requests, and each version keeps its predecessors
 * alive, with the streams they held, until the next full collection.
 */

import type { Http2Stream } from "./stream.ts";

const minPlaces = 16;
/** An empty table keeps this many places: otherwise it would be rebuilt for each burst of requests. */
const keptPlaces = 128;

export class StreamTable {
  /** Each stream is at its own place or after it, with no free place between. The length is a power of two. */
  #places: (Http2Stream | undefined)[] = emptyPlaces(minPlaces);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get(id: number): Http2Stream | undefined {
    return this.#places[this.#find(id)];
  }

  /** Adds a stream whose id is not in the table. */
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
    // The streams after it move up, unless that would put them before their own place.
    for (let at = (free + 1) & mask; ; at = (at + 1) & mask) {
      const stream = places[at];
      if (stream === undefined) break;
      const distance = (at - ownPlace(stream.id, mask)) & mask;
      if (distance < ((at - free) & mask)) continue;
      places[free] = stream;
      places[at] = undefined;
      free = at;
    }
    if (this.#count === 0 && places.length > keptPlaces) this.#places = emptyPlaces(minPlaces);
  }

  /** A copy of the current streams: the caller may end some while it goes through them. */
  values(): Http2Stream[] {
    return this.#places.filter((stream) => stream !== undefined);
  }

  /** The index at which a stream is, or would be. */
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

/** The ids that one end opens are all odd or all even, and ascend: streams opened one after the other are neighbours here. */
function ownPlace(id: number, mask: number): number {
  return (id >>> 1) & mask;
}

function emptyPlaces(length: number): (Http2Stream | undefined)[] {
  return Array.from({ length }, () => undefined);
}
