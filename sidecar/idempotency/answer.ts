/** An answer as it is stored and repeated: recorded on its way to the first caller, replayed to others byte for byte. */

import type { ResponseHead, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";

export interface Answer {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly bodyless: boolean;
  readonly body: Buffer;
  readonly trailers: HeaderFields | undefined;
}

/** What is known of a key whose request was processed. */
export interface KeyRecord {
  /** The request's fingerprint. */
  readonly fingerprint: string;
  /** Undefined: the answer is not kept, but the request was processed. */
  readonly answer: Answer | undefined;
}

/** The most bytes that all recordings of a sidecar may hold together. */
export class RecordingBudget {
  #leftBytes: number;

  constructor(bytes: number) {
    this.#leftBytes = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#leftBytes) return false;
    this.#leftBytes -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

/** Keeps a copy of an answer that passes by. Its creator calls `stop` when it is over. */
export class Recording {
  readonly #budget: RecordingBudget;
  readonly #maxBytes: number;
  #head: ResponseHead | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #tooLong = false;

  constructor(maxBytes: number, budget: RecordingBudget) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** Whether it has become too long to be kept. */
  get tooLong(): boolean {
    return this.#tooLong;
  }

  head({ status, headers, bodyless }: ResponseHead): void {
    this.#head = { status, headers: headers.copy(), bodyless };
  }

  write(chunk: Buffer): void {
    if (this.#tooLong || chunk.length === 0) return;
    if (this.#bytes + chunk.length > this.#maxBytes || !this.#budget.take(chunk.length)) {
      this.#tooLong = true;
      this.stop();
      return;
    }
    this.#chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
  }

  /** Undefined: the answer was too long, or there was none. */
  finish(trailers: HeaderFields | undefined): Answer | undefined {
    if (this.#tooLong || this.#head === undefined) return undefined;
    return { ...this.#head, body: Buffer.concat(this.#chunks), trailers: trailers?.copy() };
  }

  stop(): void {
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
    this.#chunks = [];
  }
}

/** How much is sent at a time; in between, the caller's congestion is checked. */
const pieceBytes = 64 * 1024;

/** Replays an answer, as fast as the caller takes it. */
export class Replay {
  readonly #answer: Answer;
  readonly #response: ResponseSink;
  #sentBytes = 0;
  #sending = false;
  #over = false;

  constructor(answer: Answer, response: ResponseSink) {
    this.#answer = answer;
    this.#response = response;
  }

  start(): void {
    const { status, bodyless } = this.#answer;
    const headers = this.#answer.headers.copy();
    headers.set("tulle-idempotent-replay", "true");
    this.#response.head({ status, headers, bodyless });
    this.resume();
  }

  resume(): void {
    if (this.#sending) return; // called back during a write
    const { body, trailers } = this.#answer;
    this.#sending = true;
    let takesMore = true;
    while (takesMore && !this.#over && this.#sentBytes < body.length) {
      const piece = body.subarray(this.#sentBytes, this.#sentBytes + pieceBytes);
      this.#sentBytes += piece.length;
      takesMore = this.#response.writeResponse(piece);
    }
    this.#sending = false;
    if (this.#over || this.#sentBytes < body.length) return;
    this.#over = true;
    this.#response.endResponse(trailers?.copy());
  }

  /** The caller no longer takes the rest. */
  stop(): void {
    this.#over = true;
  }
}
