/** Frames of HTTP/2, for both of its targets. */

import {
  ACK,
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  get,
  HEADERS,
  headers,
  indexedLiteral,
  PADDED,
  PING,
  PRIORITY,
  post,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "../../sidecar/http2/raw-peer.ts";

const headerBytes = 9;
const octets = (...bytes: number[]): Buffer => Buffer.from(bytes);

export function splitFrames(input: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < input.length; ) {
    const whole = input.length - at >= headerBytes;
    const end = whole ? at + headerBytes + input.readUIntBE(at, 3) : input.length;
    frames.push(input.subarray(at, end));
    at = end;
  }
  return frames;
}

export function joinFrames(frames: readonly Buffer[]): Buffer {
  const joined = frames.map((each) => Buffer.from(each));
  for (const each of joined) if (each.length >= headerBytes) each.writeUIntBE(each.length - headerBytes, 0, 3);
  return Buffer.concat(joined);
}

const connect = block([
  [":method", "CONNECT"],
  [":protocol", "websocket"],
  [":scheme", "http"],
  [":path", "/chat"],
  [":authority", "a.test"],
]);

export const http2Dictionary: readonly Buffer[] = [
  frame(SETTINGS, 0, 0),
  frame(SETTINGS, ACK, 0),
  frame(SETTINGS, 0, 0, Buffer.concat([octets(0, 4), uint32(0)])),
  frame(SETTINGS, 0, 0, Buffer.concat([octets(0, 1), uint32(0)])),
  frame(SETTINGS, 0, 0, Buffer.concat([octets(0, 8), uint32(1)])),
  headers(1, get),
  headers(3, post, END_HEADERS),
  frame(HEADERS, END_STREAM, 5, block(get)),
  frame(HEADERS, END_HEADERS, 7, connect),
  frame(
    HEADERS,
    END_HEADERS | END_STREAM | 0x20 | PADDED,
    1,
    Buffer.concat([octets(1, 0, 0, 0, 0, 16), block(get), octets(0)]),
  ),
  frame(CONTINUATION, END_HEADERS, 5, block([["x", "y"]])),
  headers(3, [["x-trailer", "1"]]),
  headers(1, [[":status", "200"]], END_HEADERS),
  headers(1, [[":status", "103"]], END_HEADERS),
  headers(1, [[":status", "204"]]),
  frame(DATA, 0, 3, Buffer.from("hello")),
  frame(DATA, END_STREAM, 3, Buffer.from("hello")),
  frame(DATA, END_STREAM, 1),
  frame(DATA, PADDED, 3, octets(3, 1, 2, 0, 0, 0)),
  frame(RST_STREAM, 0, 1, uint32(8)),
  frame(RST_STREAM, 0, 3, uint32(7)),
  frame(WINDOW_UPDATE, 0, 0, uint32(1)),
  frame(WINDOW_UPDATE, 0, 1, uint32(0x7fffffff)),
  frame(PING, 0, 0, Buffer.alloc(8)),
  frame(GOAWAY, 0, 0, Buffer.concat([uint32(1), uint32(0)])),
  frame(PRIORITY, 0, 9, octets(0, 0, 0, 0, 1)),
  frame(5, END_HEADERS, 1, uint32(2)),
  frame(0xee, 0, 0),
  block([["content-length", "5"]]),
  block([["transfer-encoding", "chunked"]]),
  block([["cookie", "a=1"]]),
  block([["__proto__", "x"]]),
  indexedLiteral("x", "y"),
  octets(0x82),
  octets(0xbe),
  octets(0x20),
  octets(0x3f, 0xe1, 0x1f),
  octets(0x7f, 0xff, 0xff, 0xff),
  uint32(0x80000001),
  octets(0, 0, 0),
];

/** The codes of RST_STREAM, by stream, and of GOAWAY in what a codec sent: the rest depends on how its input was cut. */
export function errorsIn(sent: Buffer): string[] {
  const errors: string[] = [];
  for (const each of splitFrames(sent)) {
    if (each[3] === RST_STREAM) errors.push(`stream ${each.readUInt32BE(5)}: ${each.readUInt32BE(headerBytes)}`);
    if (each[3] === GOAWAY) errors.push(`connection: ${each.readUInt32BE(headerBytes + 4)}`);
  }
  return errors;
}
