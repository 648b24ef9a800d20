/**
 * The wire format of HTTP/2 frames (RFC 9113 §4, §6, §7): numbers, and writers into an `Outbox`.
 * Reading is in `frame-reader.ts`; neither knows what a frame means for a stream.
 */

import type { Outbox } from "../net/outbox.ts";

export const frameHeaderBytes = 9;
/** The smallest and default SETTINGS_MAX_FRAME_SIZE. We announce no other. */
export const defaultMaxFrameBytes = 16_384;
/**
 * The most that a DATA frame of ours carries: with its header it fills a TLS record, and four of them fill an outbox's buffer.
 */
export const fullDataBytes = defaultMaxFrameBytes - frameHeaderBytes;
export const largestMaxFrameBytes = 16_777_215;
export const largestWindowBytes = 0x7fffffff;
export const largestStreamId = 0x7fffffff;
export const defaultWindowBytes = 65_535;
/** The default SETTINGS_HEADER_TABLE_SIZE. */
export const defaultTableBytes = 4096;

export const frameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const flag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const setting = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
} as const;

/** The error codes of RFC 9113 §7. */
export const errorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

export type Http2ErrorName = keyof typeof errorCode;

const errorNames = new Map<number, string>(Object.entries(errorCode).map(([name, code]) => [code, name]));

/** The name of an error code for messages, or its number if RFC 9113 has no name for it. */
export function nameOfError(code: number): string {
  return errorNames.get(code) ?? `error code ${code}`;
}

/** What every client sends first (RFC 9113 §3.4). */
export const clientPreface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export function writeFrameHeader(
  buffer: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  buffer[at] = length >> 16;
  buffer[at + 1] = length >> 8;
  buffer[at + 2] = length;
  buffer[at + 3] = type;
  buffer[at + flagsOffset] = flags;
  writeUint32(buffer, at + 5, streamId);
}

function writeUint32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}

/** Reserves a frame with a payload of `length`, writes its header, and returns the payload's offset in `outbox.buffer`. */
function beginFrame(outbox: Outbox, length: number, type: number, flags: number, streamId: number): number {
  const at = outbox.reserve(frameHeaderBytes + length);
  writeFrameHeader(outbox.buffer, at, length, type, flags, streamId);
  return at + frameHeaderBytes;
}

export function writeSettings(outbox: Outbox, settings: readonly (readonly [id: number, value: number])[]): void {
  let at = beginFrame(outbox, settings.length * 6, frameType.settings, 0, 0);
  for (const [id, value] of settings) {
    outbox.buffer[at] = id >> 8;
    outbox.buffer[at + 1] = id;
    writeUint32(outbox.buffer, at + 2, value);
    at += 6;
  }
}

export function writeSettingsAck(outbox: Outbox): void {
  beginFrame(outbox, 0, frameType.settings, flag.ack, 0);
}

/** `opaque`: 8 octets. */
export function writePing(outbox: Outbox, opaque: Buffer, isAck: boolean): void {
  const at = beginFrame(outbox, 8, frameType.ping, isAck ? flag.ack : 0, 0);
  opaque.copy(outbox.buffer, at, 0, 8);
}

/** `reason` is for people who read the peer's log: ASCII, nothing secret. */
export function writeGoaway(outbox: Outbox, lastStreamId: number, code: number, reason: string): void {
  const at = beginFrame(outbox, 8 + reason.length, frameType.goaway, 0, 0);
  writeUint32(outbox.buffer, at, lastStreamId);
  writeUint32(outbox.buffer, at + 4, code);
  outbox.buffer.write(reason, at + 8, "latin1");
}

export function writeRstStream(outbox: Outbox, streamId: number, code: number): void {
  const at = beginFrame(outbox, 4, frameType.rstStream, 0, streamId);
  writeUint32(outbox.buffer, at, code);
}

/** Stream 0 is the connection. */
export function writeWindowUpdate(outbox: Outbox, streamId: number, increment: number): void {
  const at = beginFrame(outbox, 4, frameType.windowUpdate, 0, streamId);
  writeUint32(outbox.buffer, at, increment);
}

/** The offset of the flags in a frame. */
export const flagsOffset = 4;

/**
 * Writes `chunk[from, to)` as one frame, and returns the frame's offset in `outbox.buffer`. The caller has checked the windows
 * and the peer's largest frame.
 */
export function writeData(
  outbox: Outbox,
  streamId: number,
  chunk: Buffer,
  from: number,
  to: number,
  endStream: boolean,
): number {
  const at = beginFrame(outbox, to - from, frameType.data, endStream ? flag.endStream : 0, streamId);
  if (to - from === chunk.length) outbox.buffer.set(chunk, at);
  else chunk.copy(outbox.buffer, at, from, to);
  return at - frameHeaderBytes;
}

/** Writes a whole field block as HEADERS and as many CONTINUATION frames as it needs. */
export function writeHeaderBlock(outbox: Outbox, streamId: number, block: Buffer, endStream: boolean): void {
  let type: number = frameType.headers;
  let flags: number = endStream ? flag.endStream : 0;
  let from = 0;
  do {
    const to = Math.min(from + defaultMaxFrameBytes, block.length);
    if (to === block.length) flags |= flag.endHeaders;
    const at = beginFrame(outbox, to - from, type, flags, streamId);
    block.copy(outbox.buffer, at, from, to);
    type = frameType.continuation;
    flags = 0;
    from = to;
  } while (from < block.length);
}

export function readUint32(payload: Buffer, at: number): number {
  return (
    (payload[at] as number) * 0x1000000 +
    (((payload[at + 1] as number) << 16) | ((payload[at + 2] as number) << 8) | (payload[at + 3] as number))
  );
}

/** Reads a stream id or a window increment: the first bit is reserved and ignored. */
export function readUint31(payload: Buffer, at: number): number {
  return readUint32(payload, at) & 0x7fffffff;
}
