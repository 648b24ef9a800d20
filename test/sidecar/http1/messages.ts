/** Runs the parsers of this folder over whole messages or messages cut anywhere, and notes all that they report. */

import * as fc from "fast-check";
import { defaultLimits, type Http1Limits } from "../../../sidecar/http1/limits.ts";
import { RequestParser, ResponseParser } from "../../../sidecar/http1/parser.ts";
import type { ReceivedRequest } from "../../../sidecar/http1/request-head.ts";
import type { AskedRequest, ReceivedResponse } from "../../../sidecar/http1/response-head.ts";

/** What came of one message. */
export interface Message<Head> {
  head?: Head;
  body: string;
  trailers?: string[];
  ended: boolean;
}

export interface Outcome<Head> {
  messages: Message<Head>[];
  refusal?: { code: string; detail: string };
}

class Notes<Head> {
  readonly outcome: Outcome<Head> = { messages: [] };
  #message: Message<Head> | undefined;

  receiveHead(head: Head): void {
    this.#message = { head, body: "", ended: false };
    this.outcome.messages.push(this.#message);
  }
  receiveBody(chunk: Buffer): void {
    if (this.#message === undefined || this.#message.ended) throw new Error("body outside of a message");
    this.#message.body += chunk.toString("latin1");
  }
  receiveEnd(trailers: { flat: string[] } | undefined): void {
    if (this.#message === undefined || this.#message.ended) throw new Error("end outside of a message");
    this.#message.ended = true;
    if (trailers !== undefined) this.#message.trailers = trailers.flat;
  }
  refuse(refusal: { code: string; detail: string }): void {
    if (this.outcome.refusal !== undefined) throw new Error("refused twice");
    this.outcome.refusal = refusal;
  }
}

/** Reads requests one after the other from pieces of one text, each piece in memory of its own. */
export function readRequests(pieces: readonly string[], limits: Partial<Http1Limits> = {}): Outcome<ReceivedRequest> {
  const notes = new Notes<ReceivedRequest>();
  const parser = new RequestParser({ ...defaultLimits, ...limits }, notes);
  for (const piece of pieces) {
    const chunk = Buffer.from(piece, "latin1");
    let at = 0;
    while (at < chunk.length && parser.phase !== "refused") {
      if (parser.phase === "complete") parser.next();
      at = parser.read(chunk, at);
    }
    chunk.fill(0); // who kept it would see it
  }
  return notes.outcome;
}

/** Reads the answer to one request, 1xx heads first, and the close behind it. Stops behind the complete message. */
export function readResponse(
  pieces: readonly string[],
  asked: AskedRequest = { method: "GET" },
): Outcome<ReceivedResponse> & { behind: number } {
  const notes = new Notes<ReceivedResponse>();
  const parser = new ResponseParser(defaultLimits, notes);
  parser.asked = asked;
  let behind = 0;
  for (const piece of pieces) {
    const chunk = Buffer.from(piece, "latin1");
    const at = parser.read(chunk, 0);
    if (parser.phase === "complete") behind += chunk.length - at;
    chunk.fill(0);
  }
  parser.close();
  return { ...notes.outcome, behind };
}

/** All ways to cut a text, of which fast-check tries some: the offsets at which a new piece begins. */
export function cuts(text: string): fc.Arbitrary<string[]> {
  return fc.uniqueArray(fc.integer({ min: 1, max: Math.max(1, text.length - 1) }), { maxLength: 12 }).map((offsets) => {
    const sorted = [0, ...offsets.sort((a, b) => a - b), text.length];
    return sorted.slice(1).map((end, i) => text.slice(sorted[i], end));
  });
}

/** A text as single bytes: the finest cut. */
export function bytewise(text: string): string[] {
  return text.split("");
}
