/**
 * One HTTP/2 connection, either end (RFC 9113): frames in, frames out, settings and windows.
 *
 * What a header section means is the end's own: `server.ts`, `client.ts`. Errors of the peer end the stream or the
 * connection and are never thrown.
 *
 * Memory, measured on Node 24 without the kernel's: an idle connection 4 KiB beyond its socket, plus what the peer puts
 * into our HPACK table (4 KiB by default) and we into its; an open stream with a short head 0.9 KiB. Beyond that each
 * stream holds at most what its writer had already received when it was told to stop.
 */

import type { Socket } from "node:net";
import { MeshError } from "../../model/errors.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { Field } from "./field.ts";
import { ConnectionWindow, type StreamWindowLimits, type WindowBudget } from "./flow-control.ts";
import { FrameReader, type FrameReceiver } from "./frame-reader.ts";
import {
  defaultMaxFrameBytes,
  defaultTableBytes,
  defaultWindowBytes,
  errorCode,
  flag,
  frameHeaderBytes,
  frameType,
  type Http2ErrorName,
  readUint31,
  readUint32,
  setting,
  writeFrameHeader,
  writeHeaderBlock,
  writePing,
  writeRstStream,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from "./frames.ts";
import { type BlockReceiver, HeaderFrames } from "./header-frames.ts";
import { type Decoded, HpackDecoder } from "./hpack/decoder.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { ConnectionLifecycle } from "./lifecycle.ts";
import type { Http2Options } from "./options.ts";
import { PeerSettings } from "./settings.ts";
import type { Http2Stream, StreamHost } from "./stream.ts";

/** Added to a section to make it malformed. */
const malformedField = new Field("", "");

/** What a connection has done since it began. */
export interface Http2Counters {
  resetsReceived: number;
  resetsSent: number;
  /** Header sections refused as malformed or too large. */
  refused: number;
}

export abstract class Http2Connection extends ConnectionLifecycle implements FrameReceiver, BlockReceiver, StreamHost {
  readonly counters: Http2Counters = { resetsReceived: 0, resetsSent: 0, refused: 0 };
  readonly windowLimits: StreamWindowLimits;
  readonly windowBudget: WindowBudget;
  readonly stallTimeoutMs: number;
  readonly minBytesPerStall: number;
  protected readonly peer = new PeerSettings();
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #encoder: HpackEncoder;
  readonly #window: ConnectionWindow;
  readonly #headerFrames: HeaderFrames;
  readonly #isServer: boolean;
  /** The stream of the DATA frame being read, if it accepts the frame. */
  #dataStream: Http2Stream | undefined;
  /** The bytes of that frame that count against its windows but were not passed on: at the end of the frame, the padding. */
  #dataCredit = 0;
  /** Whether that frame has carried nothing so far, or only padding. */
  #dataIsEmpty = true;
  #dataEndsStream = false;

  constructor(socket: Socket, options: Http2Options, isServer: boolean) {
    super(socket, options);
    const { limits } = this;
    this.windowLimits = { initialBytes: limits.initialWindowBytes, maxBytes: limits.maxWindowBytes };
    this.windowBudget = limits.windowBudget;
    this.stallTimeoutMs = limits.stallTimeoutMs;
    this.minBytesPerStall = (limits.minBytesPerSecond * limits.stallTimeoutMs) / 1_000;
    this.#isServer = isServer;
    this.#reader = new FrameReader(this, isServer);
    this.#decoder = new HpackDecoder(limits.decoderTableBytes);
    this.#encoder = new HpackEncoder(limits.encoderTableBytes);
    this.#window = new ConnectionWindow(limits.connectionWindowBytes);
    this.#headerFrames = new HeaderFrames(this, { bytes: limits.maxHeadBytes * 4, timeoutMs: limits.headTimeoutMs });
  }

  /** Sends our first frame. */
  protected sendSettings(own: readonly (readonly [id: number, value: number])[]): void {
    const { limits } = this;
    const settings = [...own, [setting.maxHeaderListSize, limits.maxHeadBytes] as const];
    if (limits.initialWindowBytes !== defaultWindowBytes) {
      settings.push([setting.initialWindowSize, limits.initialWindowBytes]);
    }
    if (limits.decoderTableBytes !== defaultTableBytes) {
      settings.push([setting.headerTableSize, limits.decoderTableBytes]);
    }
    writeSettings(this.outbox, settings);
    writeWindowUpdate(this.outbox, 0, limits.connectionWindowBytes - defaultWindowBytes);
  }

  /** Takes bytes read from the socket, or received before this codec took over. */
  protected receive(chunk: Buffer): void {
    this.#reader.read(chunk);
  }

  /** Whether a stream was never opened, so that no frame may come on it (RFC 9113 §5.1). */
  protected abstract isIdle(streamId: number): boolean;
  /** Receives a header section for a stream that is not active. */
  protected abstract receiveNewHeaders(
    streamId: number,
    fields: readonly Field[],
    decoded: Decoded,
    endStream: boolean,
  ): void;
  protected abstract receiveGoaway(lastStreamId: number, code: number): void;
  protected abstract afterSettings(): void;
  /** A PING of ours came back. */
  protected abstract receivePong(opaque: Buffer): void;

  // ---- frames in

  receiveFrame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    this.keepAlive?.noteReceived();
    if (this.state === "opening" && (type !== frameType.settings || (flags & flag.ack) !== 0)) {
      return this.fail("PROTOCOL_ERROR", "the first frame is not SETTINGS");
    }
    if (this.#headerFrames.isOpen !== (type === frameType.continuation)) {
      return this.fail("PROTOCOL_ERROR", "a field block was interrupted, or continued where there is none");
    }
    // Hot: every message has one, so it is read in place.
    if (type === frameType.headers) return this.#headerFrames.begin(flags, streamId, bytes, from, to);
    const payload = bytes.subarray(from, to);
    switch (type) {
      case frameType.continuation:
        return this.#headerFrames.resume(flags, streamId, payload);
      case frameType.rstStream:
        return this.#receiveReset(streamId, payload);
      case frameType.windowUpdate:
        return this.#receiveWindowUpdate(streamId, payload);
      case frameType.settings:
        return this.#receiveSettings(flags, streamId, payload);
      case frameType.ping:
        return this.#receivePing(flags, streamId, payload);
      case frameType.goaway:
        if (streamId !== 0) return this.fail("PROTOCOL_ERROR", "GOAWAY on a stream");
        if (payload.length < 8) return this.fail("FRAME_SIZE_ERROR", "GOAWAY that is too short");
        return this.receiveGoaway(readUint31(payload, 0), readUint32(payload, 4));
      case frameType.priority:
        return this.#receivePriority(streamId, payload);
      case frameType.pushPromise:
        return this.fail("PROTOCOL_ERROR", "PUSH_PROMISE, which nobody allowed");
      default:
        if (!this.guard.admitEmptyFrame()) this.calm("unknown frames");
    }
  }

  /** A malformed section is decoded too, to keep the HPACK table in step. */
  receiveBlock(
    streamId: number,
    endStream: boolean,
    isMalformed: boolean,
    bytes: Buffer,
    from: number,
    to: number,
  ): void {
    const fields: Field[] = [];
    const decoded = this.#decoder.decode(bytes, fields, this.limits.maxHeadBytes, from, to);
    if (decoded === "invalid") return this.fail("COMPRESSION_ERROR", "a field block that is not HPACK");
    if (isMalformed) fields.push(malformedField);
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.receiveNewHeaders(streamId, fields, decoded, endStream);
    if (!stream.canReceive) return this.#refuseStream(streamId, "STREAM_CLOSED");
    stream.receiveHeaders(fields, decoded, endStream);
  }

  beginData(flags: number, streamId: number, length: number): void {
    this.keepAlive?.noteReceived();
    this.#dataStream = undefined;
    this.#dataCredit = length;
    this.#dataIsEmpty = true;
    this.#dataEndsStream = (flags & flag.endStream) !== 0;
    if (this.state === "opening" || this.#headerFrames.isOpen || streamId === 0) {
      return this.fail("PROTOCOL_ERROR", "DATA where no DATA may be");
    }
    if (!this.#window.receive(length)) return this.fail("FLOW_CONTROL_ERROR", "DATA beyond the connection's window");
    const credit = this.#window.takeCredit();
    if (credit > 0) writeWindowUpdate(this.outbox, 0, credit);
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.#receiveLateData(streamId);
    if (!stream.canReceive) return this.#refuseStream(streamId, "STREAM_CLOSED");
    if (!stream.admitData(length)) return this.#refuseStream(streamId, "FLOW_CONTROL_ERROR");
    this.#dataStream = stream;
  }

  receiveData(chunk: Buffer): void {
    this.#dataCredit -= chunk.length;
    this.#dataIsEmpty = false;
    // A frame arrives in pieces, and its stream may have been reset between two of them.
    if (this.#dataStream?.canReceive === true) this.#dataStream.receiveData(chunk);
  }

  endData(): void {
    if (this.#dataIsEmpty && !this.#dataEndsStream && !this.guard.admitEmptyFrame()) return this.calm("empty DATA");
    const stream = this.#dataStream;
    if (stream === undefined || !stream.canReceive) return;
    this.#dataStream = undefined;
    if (!this.#dataIsEmpty) this.guard.noteData();
    if (this.#dataEndsStream) stream.receiveEnd(undefined);
    else if (this.#dataCredit > 0) stream.credit(this.#dataCredit);
  }

  /** DATA for a stream that is gone: it was on its way when we reset the stream, or it breaks the protocol. */
  #receiveLateData(streamId: number): void {
    if (this.isIdle(streamId)) return this.fail("PROTOCOL_ERROR", "DATA on a stream that was never opened");
    switch (this.closedStreams.find(streamId)) {
      case "reset-here":
        return;
      case "ended":
      case "reset-there":
        return this.fail("STREAM_CLOSED", "DATA on a stream that is closed");
      case undefined:
        if (!this.guard.admitEmptyFrame()) this.calm("DATA on closed streams");
    }
  }

  #receiveReset(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) return this.fail("FRAME_SIZE_ERROR", "RST_STREAM of another size than 4");
    if (streamId === 0 || this.isIdle(streamId)) return this.fail("PROTOCOL_ERROR", "RST_STREAM on an idle stream");
    this.counters.resetsReceived++;
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (!this.guard.admitEmptyFrame()) this.calm("resets of closed streams");
      return;
    }
    const isEarly = stream.isYoung;
    stream.receiveReset(readUint32(payload, 0));
    if (isEarly) this.chargeReset();
  }

  #receiveWindowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) return this.fail("FRAME_SIZE_ERROR", "WINDOW_UPDATE of another size than 4");
    if (!this.guard.admitEmptyFrame()) return this.calm("WINDOW_UPDATE");
    const increment = readUint31(payload, 0);
    if (streamId === 0) {
      if (increment === 0) return this.fail("PROTOCOL_ERROR", "an increment of 0");
      if (!this.scheduler.credit(increment)) return this.fail("FLOW_CONTROL_ERROR", "a window beyond 2^31-1");
      return this.scheduler.pump();
    }
    if (this.isIdle(streamId)) return this.fail("PROTOCOL_ERROR", "WINDOW_UPDATE on an idle stream");
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0) return this.#refuseStream(streamId, "PROTOCOL_ERROR");
    if (!stream.creditSending(increment)) return this.#refuseStream(streamId, "FLOW_CONTROL_ERROR");
    this.scheduler.pump();
  }

  #receiveSettings(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) return this.fail("PROTOCOL_ERROR", "SETTINGS on a stream");
    if (!this.guard.admitEmptyFrame()) return this.calm("SETTINGS");
    if ((flags & flag.ack) !== 0) {
      if (payload.length > 0) return this.fail("FRAME_SIZE_ERROR", "an acknowledgement with a payload");
      this.#decoder.setLimit(this.limits.decoderTableBytes);
      return;
    }
    const windowBefore = this.peer.initialWindowBytes;
    const error = this.peer.apply(payload, !this.#isServer);
    if (error !== undefined) return this.fail(error.code, error.reason);
    this.#encoder.setPeerLimit(this.peer.minTableBytes);
    this.#encoder.setPeerLimit(this.peer.headerTableBytes);
    const grown = this.peer.initialWindowBytes - windowBefore;
    if (grown !== 0) {
      for (const stream of this.streams.values()) {
        if (!stream.creditSending(grown)) return this.fail("FLOW_CONTROL_ERROR", "a window beyond 2^31-1");
      }
    }
    writeSettingsAck(this.outbox);
    if (this.state === "opening") this.open();
    this.scheduler.pump();
    this.afterSettings();
  }

  #receivePing(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) return this.fail("PROTOCOL_ERROR", "PING on a stream");
    if (payload.length !== 8) return this.fail("FRAME_SIZE_ERROR", "PING of another size than 8");
    if (!this.guard.admitEmptyFrame()) return this.calm("PING");
    if ((flags & flag.ack) === 0) writePing(this.outbox, payload, true);
    else this.receivePong(payload);
  }

  #receivePriority(streamId: number, payload: Buffer): void {
    if (streamId === 0) return this.fail("PROTOCOL_ERROR", "PRIORITY on stream 0");
    if (!this.guard.admitEmptyFrame()) return this.calm("PRIORITY");
    if (payload.length !== 5) return this.#refuseStream(streamId, "FRAME_SIZE_ERROR");
    if (readUint31(payload, 0) === streamId) this.#refuseStream(streamId, "PROTOCOL_ERROR");
  }

  /** A stream error of the peer (RFC 9113 §5.4.2). Many of them are an attack: each may have cost us a request upstream. */
  #refuseStream(streamId: number, error: Http2ErrorName): void {
    this.refuseStream(streamId, error, "the peer broke the rules of HTTP/2");
  }

  refuseStream(streamId: number, error: Http2ErrorName, reason: string): void {
    if (this.isFailed) return;
    const stream = this.streams.get(streamId);
    if (stream === undefined) this.sendReset(streamId, error);
    else {
      stream.reset(error);
      stream.lose(new MeshError(this.codeOfLoss, `${reason}: ${error}`));
    }
    this.chargeReset();
  }

  /** A stream was lost because of the peer. */
  protected chargeReset(): void {
    if (this.#isServer && !this.guard.admitReset()) this.calm("streams that are reset, or must be");
  }

  calm(what: string): void {
    this.fail("ENHANCE_YOUR_CALM", `too many: ${what}`);
  }

  // ---- frames out

  sendHeaders(
    streamId: number,
    pseudo: readonly string[],
    headers: HeaderFields | undefined,
    endStream: boolean,
  ): void {
    const { outbox } = this;
    if (pseudo.length > 0) outbox.beginMessage(); // else these are trailers
    const encoder = this.#encoder;
    const flat = headers?.flat ?? [];
    const sensitive = headers?.sensitive;
    const most = encoder.bound(pseudo) + encoder.bound(flat);
    if (most > defaultMaxFrameBytes) {
      const block = Buffer.allocUnsafe(most);
      const length = encoder.encode(block, encoder.encode(block, 0, pseudo, sensitive), flat, sensitive);
      return writeHeaderBlock(outbox, streamId, block.subarray(0, length), endStream);
    }
    const at = outbox.reserve(frameHeaderBytes + most);
    const start = at + frameHeaderBytes;
    const headersAt = encoder.encode(outbox.buffer, start, pseudo, sensitive);
    const end = encoder.encode(outbox.buffer, headersAt, flat, sensitive, pseudo.length >> 1);
    const flags = flag.endHeaders | (endStream ? flag.endStream : 0);
    writeFrameHeader(outbox.buffer, at, end - start, frameType.headers, flags, streamId);
    outbox.unreserve(start + most - end);
  }

  sendReset(streamId: number, error: Http2ErrorName): void {
    this.counters.resetsSent++;
    this.closedStreams.note(streamId, "reset-here");
    writeRstStream(this.outbox, streamId, errorCode[error]);
  }

  sendWindowUpdate(streamId: number, increment: number): void {
    writeWindowUpdate(this.outbox, streamId, increment);
  }

  protected override stopTimers(): void {
    super.stopTimers();
    this.#headerFrames.stop();
  }
}
