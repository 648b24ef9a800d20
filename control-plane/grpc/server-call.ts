/**
 * One gRPC call of a client on a stream of node:http2, from its head to its end
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). It knows no message types, compresses nothing, and keeps
 * nothing for a client that does not read: whoever writes is told to wait.
 *
 * ```
 *   open ──end──▶ ending ──status sent──▶ closed
 *     └── reset, connection lost ─────────▲
 * ```
 */

import { constants, type ServerHttp2Stream } from "node:http2";
import { TLSSocket } from "node:tls";
import { status } from "@grpc/grpc-js";
import { MessageReader } from "../../proto/message-reader.ts";

export interface CallEvents {
  readonly message?: (message: Buffer) => void;
  /** The client will say nothing more. */
  readonly halfClosed?: () => void;
  /** What was written is on its way: more may come. */
  readonly drained?: () => void;
  /** Once, whatever ended the call, and nothing after it. */
  readonly closed?: () => void;
}

/** For a client to take what was written and the status, and to end its side too: it could go on for as long as it likes. */
const endWithinMs = 1_000;

export class ServerCall {
  readonly #stream: ServerHttp2Stream;
  readonly #maxMessageBytes: number;
  #ended = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(stream: ServerHttp2Stream, maxMessageBytes: number) {
    this.#stream = stream;
    this.#maxMessageBytes = maxMessageBytes;
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
    const { remoteAddress = "unknown", remotePort } = this.#stream.session?.socket ?? {};
    return remotePort === undefined ? remoteAddress : `${remoteAddress}:${remotePort}`;
  }

  /** Once, at once. */
  listen({ message, halfClosed, drained, closed }: CallEvents): void {
    const stream = this.#stream;
    const reader = new MessageReader(this.#maxMessageBytes, (bytes) => {
      if (!this.#ended) message?.(bytes);
    });
    stream.on("data", (chunk: Buffer) => {
      const wrong = this.#ended ? undefined : reader.read(chunk);
      if (wrong !== undefined) this.end(status.RESOURCE_EXHAUSTED, wrong);
    });
    stream.on("end", () => halfClosed?.());
    stream.on("drain", () => drained?.());
    stream.once("close", () => {
      this.#ended = true;
      clearTimeout(this.#patience);
      closed?.();
    });
  }

  /** A stream that its client has reset is closed, and may be read to its end before it is destroyed. */
  get #gone(): boolean {
    return this.#stream.closed || this.#stream.destroyed;
  }

  /** Says that the call is taken, before there is anything to tell. */
  open(): void {
    const stream = this.#stream;
    if (this.#ended || stream.headersSent || this.#gone) return;
    stream.respond({ ":status": 200, "content-type": contentType }, { waitForTrailers: true });
  }

  /** Messages with their prefixes. False asks to wait for `drained`. After the end, they are dropped. */
  write(framed: Buffer): boolean {
    if (this.#ended || this.#gone) return true;
    this.open();
    return this.#stream.write(framed);
  }

  /** Nothing comes after it. */
  end(code: status, details = ""): void {
    const stream = this.#stream;
    if (this.#ended || this.#gone) return;
    this.#ended = true;
    const said = { "grpc-status": code, ...(details !== "" && { "grpc-message": encodeURIComponent(details) }) };
    if (stream.headersSent) {
      stream.once("wantTrailers", () => {
        if (!this.#gone) stream.sendTrailers(said);
      });
      stream.end();
    } else {
      stream.respond({ ":status": 200, "content-type": contentType, ...said }, { endStream: true });
    }
    // What the client still says is of no interest, and must not hold up its other calls.
    stream.resume();
    this.#patience = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), endWithinMs).unref();
  }
}

const contentType = "application/grpc";
