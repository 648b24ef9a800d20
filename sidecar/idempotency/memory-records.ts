/**
 * The records of one sidecar, in its own memory, limited in number and bytes. The least recently used go first, in two steps:
 * an answer whose space is needed leaves a note that its request was processed, so that it still is not processed again; only
 * if there are too many records altogether is one forgotten.
 *
 * It does not know what is in progress: its user keeps track of that.
 */

import type { Clock } from "../../model/clock.ts";
import type { Answer, KeyRecord } from "./answer.ts";
import type { Claim, Found, RecordStore } from "./record-store.ts";

export interface MemoryLimits {
  readonly maxRecords: number;
  /** The size of all answers: bodies, fields, and the overhead of keeping them. */
  readonly maxBytes: number;
}

export interface MemoryCounts {
  /** `answer`: the record stays, without its answer; `record`: the key is forgotten. */
  evicted(what: "answer" | "record"): void;
}

interface Entry {
  readonly record: KeyRecord;
  readonly untilMs: number;
  readonly bytes: number;
}

/** What an answer takes besides its text: objects, map entries, string headers. Measured, rounded up. */
const overheadBytes = 512;
/** How many entries one call of `forgetExpired` checks, so that no call takes long. */
const sweptAtOnce = 2_000;

export class MemoryRecords implements RecordStore {
  readonly #clock: Clock;
  readonly #limits: MemoryLimits;
  readonly #counts: MemoryCounts;
  /** Records with their answers, the least recently used first. */
  readonly #answered = new Map<string, Entry>();
  /** Records without answers. */
  readonly #bare = new Map<string, Entry>();
  #bytes = 0;
  #sweep: Iterator<[string, Entry]> | undefined;

  constructor(clock: Clock, limits: MemoryLimits, counts: MemoryCounts) {
    this.#clock = clock;
    this.#limits = limits;
    this.#counts = counts;
  }

  get size(): { readonly answered: number; readonly bare: number; readonly bytes: number } {
    return { answered: this.#answered.size, bare: this.#bare.size, bytes: this.#bytes };
  }

  claim(name: string): Found {
    const record = this.#find(name);
    return record === undefined ? { kind: "claimed", claim: this.#claimFor(name) } : { kind: "recorded", record };
  }

  /** Called from time to time: frees the space of expired records, which nobody asks for any more. */
  forgetExpired(): void {
    const now = this.#clock.now();
    for (let looked = 0; looked < sweptAtOnce; looked++) {
      this.#sweep ??= this.#all();
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = undefined;
        return;
      }
      const [name, { untilMs }] = next.value;
      if (untilMs <= now) this.#remove(name);
    }
  }

  *#all(): Generator<[string, Entry]> {
    yield* this.#answered;
    yield* this.#bare;
  }

  #claimFor(name: string): Claim {
    return { keep: (record, ttlMs) => this.#keep(name, record, ttlMs), release: () => {} };
  }

  #keep(name: string, record: KeyRecord, ttlMs: number): void {
    this.#remove(name);
    const bytes = record.answer === undefined ? 0 : sizeOf(record.answer);
    const entry = { record, untilMs: this.#clock.now() + ttlMs, bytes };
    if (record.answer === undefined) this.#bare.set(name, entry);
    else this.#answered.set(name, entry);
    this.#bytes += bytes;
    while (this.#bytes > this.#limits.maxBytes) this.#emptyOldest();
    while (this.#answered.size + this.#bare.size > this.#limits.maxRecords) this.#forgetOldest();
  }

  #find(name: string): KeyRecord | undefined {
    const entries = this.#answered.has(name) ? this.#answered : this.#bare;
    const entry = entries.get(name);
    if (entry === undefined) return undefined;
    this.#remove(name);
    if (entry.untilMs <= this.#clock.now()) return undefined;
    entries.set(name, entry);
    this.#bytes += entry.bytes;
    return entry.record;
  }

  #emptyOldest(): void {
    const [oldest] = this.#answered;
    if (oldest === undefined) return;
    const [name, { record, untilMs }] = oldest;
    this.#remove(name);
    this.#bare.set(name, { record: { fingerprint: record.fingerprint, answer: undefined }, untilMs, bytes: 0 });
    this.#counts.evicted("answer");
  }

  #forgetOldest(): void {
    const [name] = this.#bare.size > 0 ? this.#bare.keys() : this.#answered.keys();
    if (name === undefined) return;
    this.#remove(name);
    this.#counts.evicted("record");
  }

  #remove(name: string): void {
    const bytes = (this.#answered.get(name) ?? this.#bare.get(name))?.bytes;
    if (bytes === undefined) return;
    this.#bytes -= bytes;
    if (!this.#answered.delete(name)) this.#bare.delete(name);
  }
}

function sizeOf({ body, headers, trailers }: Answer): number {
  let bytes = overheadBytes + body.length;
  for (const text of headers.flat) bytes += text.length;
  for (const text of trailers?.flat ?? []) bytes += text.length;
  return bytes;
}
