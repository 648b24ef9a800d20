/** Frames that make work and carry nothing, each more often than any honest peer has use for. */

import {
  ACK,
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  HEADERS,
  headers,
  PADDED,
  PING,
  PRIORITY,
  post,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "../sidecar/http2/raw-peer.ts";
import { forA } from "./attacked-mesh.ts";

const CANCEL = uint32(8);
const times = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => bytes));
const onStreams = (count: number, frames: (id: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => frames(2 * i + 1)));
const open = (id: number): Buffer => headers(id, forA(get));

export const floods: Record<string, Buffer> = {
  "rapid reset": onStreams(1000, (id) => Buffer.concat([open(id), frame(RST_STREAM, 0, id, CANCEL)])),
  "MadeYouReset by a WINDOW_UPDATE of 0": onStreams(1000, (id) =>
    Buffer.concat([open(id), frame(WINDOW_UPDATE, 0, id, uint32(0))]),
  ),
  "MadeYouReset by DATA after the end": onStreams(1000, (id) => Buffer.concat([open(id), frame(DATA, 0, id, CANCEL)])),
  "empty CONTINUATION without end": Buffer.concat([
    frame(HEADERS, END_STREAM, 1, block(forA(get))),
    times(2000, frame(CONTINUATION, 0, 1)),
  ]),
  "large CONTINUATION without end": Buffer.concat([
    frame(HEADERS, END_STREAM, 1, block(forA(get))),
    times(50, frame(CONTINUATION, 0, 1, block([["x", "y".repeat(16_000)]]))),
  ]),
  PING: times(5000, frame(PING, 0, 0, Buffer.alloc(8))),
  SETTINGS: times(5000, frame(SETTINGS, 0, 0)),
  "acknowledgements of SETTINGS": times(5000, frame(SETTINGS, ACK, 0)),
  PRIORITY: times(5000, frame(PRIORITY, 0, 9, Buffer.of(0, 0, 0, 0, 1))),
  WINDOW_UPDATE: times(5000, frame(WINDOW_UPDATE, 0, 0, uint32(1))),
  "empty DATA": Buffer.concat([headers(1, forA(post), END_HEADERS), times(5000, frame(DATA, 0, 1))]),
  "DATA of nothing but padding": Buffer.concat([
    headers(1, forA(post), END_HEADERS),
    times(5000, frame(DATA, PADDED, 1, Buffer.of(3, 0, 0, 0))),
  ]),
  "unknown frames": times(5000, frame(0xee, 0, 0)),
};
