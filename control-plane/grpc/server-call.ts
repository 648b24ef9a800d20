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
  /** The client will send nothing more. */
  readonly halfClosed?: () => void;
  /** What was written is on its way, so more may be written. */
  readonly drained?: () => void;
  /** Called once, last of all, whatever ended the call. */
  readonly closed?: () => void;
}

export interface ServerCallOptions {
  /** The limit for one message from the client. */
  readonly maxMessageBytes: number;
  readonly budget: ReadingBudget;
  readonly onRefused: (why: Refusal) => void;
}

/**
 * The time a client gets to read what was written and the status, and to end its own side: it could go on for as long as it
 * likes.
 */
const endWithinMs = 1_000;

export class ServerCall {
  readonly #stream: ServerHttp2Stream;
  readonly #options: ServerCallOptions;
  #ended = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(stream: ServerHttp2Stream, options: ServerCallOptions) {
    this.#stream = stream;
    this.#options = options;
    // Whatever the error is, `close` follows.
    stream.on("error", () => {});
  }

  /** The client's certificate; undefined: it presented none, or is gone. */
  get certificateDer(): Buffer | undefined {
    const socket = this.#stream.session?.socket;
    return socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined;
  }

  /** `host:port` of the client, for logs. */
  get caller(): string {
    const { remotePort } = this.#stream.session?.socket ?? {};
    return remotePort === undefined ? this.callerAddress : `${this.callerAddress}:${remotePort}`;
  }

  /** `unknown`: the client is gone. */
  get callerAddress(): string {
    return this.#stream.session?.socket.remoteAddress ?? "unknown";
  }

  /** To be called once, and at once. */
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

  /** Whether the client is still there and the call has not been ended. */
  get isOpen(): boolean {
    return !this.#ended && !this.#gone;
  }

  /** A stream that its client has reset is closed, but can still be read to its end before it is destroyed. */
  get #gone(): boolean {
    return this.#stream.closed || this.#stream.destroyed;
  }

  /** Tells the client that the call is accepted, before there is anything to send. */
  open(): void {
    const stream = this.#stream;
    if (stream.headersSent || !this.isOpen) return;
    stream.respond({ ":status": 200, "content-type": contentType }, { waitForTrailers: true });
  }

  /** Writes messages with their prefixes. If it returns false, wait for `drained`. After the end, messages are dropped. */
  write(framed: Buffer): boolean {
    if (!this.isOpen) return true;
    this.open();
    return this.#stream.write(framed);
  }

  /** Ends the call because of what its client did, and counts that. */
  refuse(why: Refusal, code: status, details: string, httpStatus = 200): void {
    if (!this.isOpen) return;
    this.#options.onRefused(why);
    // This refusal may have been one too many, so that the whole connection was ended.
    if (!this.#gone) this.#end(code, details, httpStatus);
  }

  /** Ends the call; nothing may follow. */
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
    const trailers = { "grpc-status": code, ...(details !== "" && { "grpc-message": percentEncode(details) }) };
    if (stream.headersSent) {
      stream.once("wantTrailers", () => {
        if (!this.#gone) stream.sendTrailers(trailers);
      });
      stream.end();
    } else {
      // Lists the supported codings: https://github.com/grpc/grpc/blob/master/doc/compression.md
      const codings = code === status.UNIMPLEMENTED && { "grpc-accept-encoding": "identity" };
      const head = { ":status": httpStatus, "content-type": contentType, ...codings, ...trailers };
      stream.respond(head, { endStream: true });
    }
    // Discard what the client still sends, so that it does not hold up its other calls.
    stream.resume();
    this.#patience = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), endWithinMs).unref();
  }
}

/**
 * Calls `receive` with each chunk that arrives, straight from where node:http2 hands it to its stream: the queue, the event and
 * the ticks in between would cost as much as reading an ack, and do nothing for us. Chunks that were queued before, and those
 * that a future Node hands on differently, arrive as `data` events.
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
 * Encodes no more than necessary: grpc-js decodes with `decodeURI`, and would show `%2C` for an encoded comma. A field in
 * HTTP/2 has no spaces at its ends.
 */
function percentEncode(text: string): string {
  return text.toWellFormed().replace(/^ | $|[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}
