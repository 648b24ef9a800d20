/**
 * One client's gRPC call on a stream of node:http2, from its head to its end
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). It knows no message types, compresses nothing, and
 * buffers nothing for a client that does not read: the writer is told to wait.
 *
 * ```
 *   open ──end──▶ ending ──status sent──▶ closed
 *     └── reset, connection lost ─────────▲
 * ```
 */

import { constants, type ServerHttp2Stream } from "node:http2";
import { TLSSocket } from "node:tls";
import { status } from "@grpc/grpc-js";
import { type MessageFault, MessageReader, soleMessage } from "../../proto/message-reader.ts";
import type { ReadingBudget } from "./reading-budget.ts";
import type { Refusal } from "./refusal.ts";

export interface CallEvents {
  readonly message?: (message: Buffer) => void;
  /** The client will say nothing more. */
  readonly halfClosed?: () => void;
  /** What was written is on its way: more may come. */
  readonly drained?: () => void;
  /** Once, whatever ended the call, and nothing after it. */
  readonly closed?: () => void;
}

export interface ServerCallOptions {
  /** Of one message from the client. */
  readonly maxMessageBytes: number;
  readonly budget: ReadingBudget;
  readonly onRefused: (why: Refusal) => void;
}

/** For a client to take what was written and the status, and to end its side too: it could go on for as long as it likes. */
const endWithinMs = 1_000;

export class ServerCall {
  readonly #stream: ServerHttp2Stream;
  readonly #options: ServerCallOptions;
  #ended = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(stream: ServerHttp2Stream, options: ServerCallOptions) {
    this.#stream = stream;
    this.#options = options;
    // Whatever it is, `close` follows.
    stream.on("error", () => {});
  }

  /** Of the client; undefined: it has shown none, or is gone. */
  get certificateDer(): Buffer | undefined {
    const socket = this.#stream.session?.socket;
    return socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined;
  }

  /** `host:port` of the client, for logs. */
  get caller(): string {
    const { remotePort } = this.#stream.session?.socket ?? {};
    return remotePort === undefined ? this.callerAddress : `${this.callerAddress}:${remotePort}`;
  }

  /** `unknown`: it is gone. */
  get callerAddress(): string {
    return this.#stream.session?.socket.remoteAddress ?? "unknown";
  }

  /** Once, at once. */
  listen({ message, halfClosed, drained, closed }: CallEvents): void {
    const stream = this.#stream;
    const { budget, maxMessageBytes } = this.#options;
    const reader = new MessageReader(maxMessageBytes, (bytes) => {
      if (!this.#ended) message?.(bytes);
    });
    let heldBytes = 0;
    receiveFrom(stream, (chunk) => {
      if (this.#ended) return;
      const sole = reader.isMidMessage ? undefined : soleMessage(chunk);
      if (sole !== undefined && sole.length <= maxMessageBytes) return message?.(sole);
      const wrong = reader.read(chunk);
      const before = heldBytes;
      heldBytes = reader.heldBytes;
      const fits = budget.change(before, heldBytes);
      if (wrong !== undefined) this.#refuseMessage(wrong);
      else if (!fits) this.refuse("message_size", status.RESOURCE_EXHAUSTED, "too many messages are being read");
    });
    stream.on("end", () => {
      if (reader.isMidMessage) this.refuse("malformed", status.INVALID_ARGUMENT, "the last message was cut short");
      else if (!this.#ended) halfClosed?.();
    });
    stream.on("drain", () => drained?.());
    stream.once("close", () => {
      this.#ended = true;
      clearTimeout(this.#patience);
      budget.change(heldBytes, 0);
      closed?.();
    });
  }

  /** Somebody is there to be answered, and has not been yet. */
  get isOpen(): boolean {
    return !this.#ended && !this.#gone;
  }

  /** A stream that its client has reset is closed, and may be read to its end before it is destroyed. */
  get #gone(): boolean {
    return this.#stream.closed || this.#stream.destroyed;
  }

  /** Says that the call is taken, before there is anything to tell. */
  open(): void {
    const stream = this.#stream;
    if (stream.headersSent || !this.isOpen) return;
    stream.respond({ ":status": 200, "content-type": contentType }, { waitForTrailers: true });
  }

  /** Messages with their prefixes. False asks to wait for `drained`. After the end, they are dropped. */
  write(framed: Buffer): boolean {
    if (!this.isOpen) return true;
    this.open();
    return this.#stream.write(framed);
  }

  /** Ends it because of what its client did, and counts that. */
  refuse(why: Refusal, code: status, details: string, httpStatus = 200): void {
    if (!this.isOpen) return;
    this.#options.onRefused(why);
    // Its whole connection may have been one refusal too many.
    if (!this.#gone) this.#end(code, details, httpStatus);
  }

  /** Nothing comes after it. */
  end(code: status, details = ""): void {
    if (this.isOpen) this.#end(code, details, 200);
  }

  #refuseMessage({ kind, says }: MessageFault): void {
    const code = kind === "compressed" ? status.UNIMPLEMENTED : status.RESOURCE_EXHAUSTED;
    this.refuse(kind, code, says);
  }

  #end(code: status, details: string, httpStatus: number): void {
    const stream = this.#stream;
    this.#ended = true;
    const said = { "grpc-status": code, ...(details !== "" && { "grpc-message": percentEncode(details) }) };
    if (stream.headersSent) {
      stream.once("wantTrailers", () => {
        if (!this.#gone) stream.sendTrailers(said);
      });
      stream.end();
    } else {
      // Which codings would do: https://github.com/grpc/grpc/blob/master/doc/compression.md
      const codings = code === status.UNIMPLEMENTED && { "grpc-accept-encoding": "identity" };
      const head = { ":status": httpStatus, "content-type": contentType, ...codings, ...said };
      stream.respond(head, { endStream: true });
    }
    // What the client still says is of no interest, and must not hold up its other calls.
    stream.resume();
    this.#patience = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), endWithinMs).unref();
  }
}

/**
 * Calls with each chunk that arrives, straight from where node:http2 hands it to its stream: the queue, the event and the
 * ticks between are for whom they find work for, and cost as much as taking an ack. What was queued before, and what comes
 * should Node hand it on in another way, comes as `data`.
 */
function receiveFrom(stream: ServerHttp2Stream, receive: (chunk: Buffer) => void): void {
  stream.on("data", receive);
  const push = stream.push.bind(stream);
  stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk === null || stream.readableLength > 0) return push(chunk, encoding);
    receive(chunk);
    return true;
  };
}

const contentType = "application/grpc";

/**
 * No more than must be: grpc-js, which reads by `decodeURI`, would show `%2C` for a comma that was encoded. At its ends no
 * field of HTTP/2 has a space.
 */
function percentEncode(text: string): string {
  return text.toWellFormed().replace(/^ | $|[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}
