/** A peer that sends any bytes as frames, lawful or not. Written without the codec under test. */

import { once } from "node:events";
import * as net from "node:net";
import { untilClosed } from "../../support/sockets.ts";

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
/** Of a frame's payload. */
const maxBytes = 16_384;
export const PADDED = 8;

export function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function hpackInteger(value: number, prefixBits: number, pattern: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([pattern | value]);
  const bytes = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 128; rest >>= 7) bytes.push(128 | (rest & 127));
  return Buffer.from([...bytes, rest]);
}

function hpackString(text: string): Buffer {
  return Buffer.concat([hpackInteger(text.length, 7, 0), Buffer.from(text, "latin1")]);
}

export type Pairs = readonly (readonly [name: string, value: string])[];

/** Literals without indexing, no Huffman code. */
export function block(fields: Pairs): Buffer {
  return Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.of(0), hpackString(name), hpackString(value)])),
  );
}

/** A literal that enters the dynamic table. */
export function indexedLiteral(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), hpackString(name), hpackString(value)]);
}

export const get: Pairs = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "a.test"],
];

export const post: Pairs = [[":method", "POST"], ...get.slice(1)];

export function headers(streamId: number, fields: Pairs, flags = END_HEADERS | END_STREAM): Buffer {
  return frame(HEADERS, flags, streamId, block(fields));
}

export class RawPeer {
  readonly socket: net.Socket;
  readonly frames: RawFrame[] = [];
  /** Settles when the connection is really gone. */
  readonly closed: Promise<void>;
  isClosed = false;
  #received = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  constructor(socket: net.Socket) {
    this.socket = socket;
    this.closed = untilClosed(socket).then(() => {
      this.isClosed = true;
      this.#wake();
    });
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#cut();
      this.#wake();
    });
  }

  /** Connects and says what a client says first, unless it is told not to. */
  static async connect(port: number, settings: Buffer = Buffer.alloc(0), greets = true): Promise<RawPeer> {
    const socket = net.connect(port, "127.0.0.1");
    await once(socket, "connect");
    const peer = new RawPeer(socket);
    if (greets) peer.send(preface, frame(SETTINGS, 0, 0, settings));
    return peer;
  }

  send(...bytes: Buffer[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(bytes));
  }

  /** A whole request, in as many frames as its field block takes. */
  sendHead(streamId: number, fields: Buffer): void {
    const flagsAt = (end: number): number => (end >= fields.length ? END_HEADERS : 0);
    this.send(frame(HEADERS, END_STREAM | flagsAt(maxBytes), streamId, fields.subarray(0, maxBytes)));
    for (let at = maxBytes; at < fields.length; at += maxBytes)
      this.send(frame(CONTINUATION, flagsAt(at + maxBytes), streamId, fields.subarray(at, at + maxBytes)));
  }

  /** The first frame that fits, among those received and to be received; undefined if the connection closes before. */
  async receive(fits: (frame: RawFrame) => boolean): Promise<RawFrame | undefined> {
    for (;;) {
      const found = this.frames.find(fits);
      if (found !== undefined || this.isClosed) return found;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
  }

  receiveType(type: number, streamId = 0): Promise<RawFrame | undefined> {
    return this.receive((frame) => frame.type === type && frame.streamId === streamId);
  }

  /** What the error code of a RST_STREAM on this stream was. */
  async resetOf(streamId: number): Promise<number | undefined> {
    return (await this.receiveType(RST_STREAM, streamId))?.payload.readUInt32BE(0);
  }

  async goawayCode(): Promise<number | undefined> {
    return (await this.receiveType(GOAWAY))?.payload.readUInt32BE(4);
  }

  /** Settles when the peer has dealt with all that was sent before. */
  async roundTrip(): Promise<void> {
    const opaque = Buffer.alloc(8);
    opaque.writeUInt32BE(++this.#pings);
    this.send(frame(PING, 0, 0, opaque));
    await this.receive(
      (received) => received.type === PING && received.flags === ACK && received.payload.equals(opaque),
    );
  }

  #pings = 0;

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #cut(): void {
    for (;;) {
      if (this.#received.length < 9) return;
      const length = this.#received.readUIntBE(0, 3);
      if (this.#received.length < 9 + length) return;
      this.frames.push({
        type: this.#received[3] as number,
        flags: this.#received[4] as number,
        streamId: this.#received.readUInt32BE(5),
        payload: Buffer.from(this.#received.subarray(9, 9 + length)),
      });
      this.#received = this.#received.subarray(9 + length);
    }
  }
}
