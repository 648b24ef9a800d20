/**
 * One HTTP/2 connection, either end (RFC 9113): frames in, frames out, settings, windows, GOAWAY, and its death.
 *
 * What a header section means is the end's own: `server.ts`, `client.ts`. Errors of the peer end the stream or the
 * connection and are never thrown; the socket's errors in any state end in `onClosed`.
 */

import type { Socket } from "node:net";
import type { Clock } from "../../model/clock.ts";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { Outbox } from "../net/outbox.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { ClosedStreams, type Closing } from "./closed-streams.ts";
import { Deadline } from "./deadline.ts";
import type { Field } from "./field.ts";
import { FloodGuard } from "./flood-guard.ts";
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
  writeGoaway,
  writeHeaderBlock,
  writePing,
  writeRstStream,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from "./frames.ts";
import { HeaderAssembly } from "./header-assembly.ts";
import { type Decoded, HpackDecoder } from "./hpack/decoder.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { KeepAlive } from "./keep-alive.ts";
import { type Http2Limits, type Http2Options, resolveLimits } from "./options.ts";
import { SendScheduler } from "./send-scheduler.ts";
import { PeerSettings } from "./settings.ts";
import type { Http2Stream, StreamHost } from "./stream.ts";

/**
 * ```
 *   opening ──SETTINGS received──▶ open ──GOAWAY sent or received──▶ draining ──last stream ended──▶ closing ──▶ closed
 *      └──────────────────────┴── error: GOAWAY sent ─────────────────────┴──────────────────────────▶ closing
 *   any ── socket closed ──▶ closed
 * ```
 * `opening`: nothing came from the peer; `draining`: no new streams; `closing`: everything is said, nothing is read.
 */
export type ConnectionState = "opening" | "open" | "draining" | "closing" | "closed";

/** What a connection did since it began. */
export interface Http2Counters {
  streams: number;
  resetsReceived: number;
  resetsSent: number;
  /** Sections refused as malformed or too large. */
  refused: number;
}

/** How long the peer has to close its end after our last word, in ms. */
const lingerMs = 1000;

export abstract class Http2Connection implements FrameReceiver, StreamHost {
  state: ConnectionState = "opening";
  readonly counters: Http2Counters = { streams: 0, resetsReceived: 0, resetsSent: 0, refused: 0 };
  /** Called once, when the socket is gone. */
  onClosed: ((error: Error | undefined) => void) | undefined;
  readonly scheduler: SendScheduler;
  readonly timers: TimerWheel;
  readonly clock: Clock;
  readonly windowLimits: StreamWindowLimits;
  readonly windowBudget: WindowBudget;
  readonly stallTimeoutMs: number;

  protected readonly socket: Socket;
  protected readonly outbox: Outbox;
  protected readonly limits: Http2Limits;
  protected readonly streams = new Map<number, Http2Stream>();
  protected readonly peer = new PeerSettings();
  protected readonly closedStreams = new ClosedStreams();
  protected readonly guard: FloodGuard;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #encoder: HpackEncoder;
  readonly #window: ConnectionWindow;
  readonly #assembly: HeaderAssembly;
  readonly #keepAlive: KeepAlive | undefined;
  readonly #isServer: boolean;
  /** Armed while there is no stream: for the first SETTINGS, later for the idle timeout. */
  readonly #idle: Deadline;
  /** Armed while a field block is incomplete. */
  #blockDeadline: Deadline | undefined;
  #linger: Deadline | undefined;
  /** Reused for every header section. */
  readonly #fields: Field[] = [];
  /** The stream of the DATA frame that is being read, if it wants it. */
  #dataStream: Http2Stream | undefined;
  /** What of that frame counts for its windows and was not passed on: padding, in the end. */
  #dataCredit = 0;
  #dataEndsStream = false;
  #error: Error | undefined;

  constructor(socket: Socket, options: Http2Options, isServer: boolean) {
    const limits = resolveLimits(options);
    this.socket = socket;
    this.limits = limits;
    this.timers = options.timers;
    this.clock = options.clock;
    this.windowLimits = { initialBytes: limits.initialWindowBytes, maxBytes: limits.maxWindowBytes };
    this.windowBudget = limits.windowBudget;
    this.stallTimeoutMs = limits.stallTimeoutMs;
    this.#isServer = isServer;
    this.outbox = new Outbox(socket, () => this.scheduler.pump());
    this.guard = new FloodGuard(limits.floods, options.clock);
    this.scheduler = new SendScheduler(this.outbox, this.guard);
    this.#reader = new FrameReader(this, isServer);
    this.#decoder = new HpackDecoder(limits.decoderTableBytes);
    this.#encoder = new HpackEncoder(limits.encoderTableBytes);
    this.#window = new ConnectionWindow(limits.connectionWindowBytes);
    this.#assembly = new HeaderAssembly(limits.maxHeadBytes * 4);
    this.#idle = new Deadline(() => this.#expireIdle());
    this.timers.arm(this.#idle, limits.handshakeTimeoutMs);
    if (limits.keepAlive !== undefined) this.#keepAlive = new KeepAlive(limits.keepAlive, this);
    this.#listen();
  }

  #listen(): void {
    const { socket } = this;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#reader.read(chunk));
    socket.on("error", (error) => {
      this.#error ??= error;
    });
    // The peer sends no more: nothing that is open can be completed (RFC 9113 §9.1 asks for GOAWAY before this).
    socket.on("end", () => this.destroy());
    socket.on("close", () => this.#afterClose());
  }

  /** What the peer is told first. */
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

  /** Bytes that were read from the socket before this codec had it. */
  protected readReceived(received: Buffer | undefined): void {
    if (received !== undefined && received.length > 0) this.#reader.read(received);
  }

  get activeStreams(): number {
    return this.streams.size;
  }

  get isFailed(): boolean {
    return this.state === "closing" || this.state === "closed";
  }

  /** The highest stream that the peer opened. */
  protected abstract readonly lastPeerStreamId: number;
  /** No frame on a stream that was never opened (RFC 9113 §5.1). */
  protected abstract isIdle(streamId: number): boolean;
  /** A header section for a stream that is not active. */
  protected abstract receiveNewHeaders(
    streamId: number,
    fields: readonly Field[],
    decoded: Decoded,
    endStream: boolean,
  ): void;
  protected abstract receiveGoaway(lastStreamId: number, code: number): void;
  protected abstract afterSettings(): void;
  /** A PING of ours came back. */
  protected abstract receivePong(): void;
  protected abstract onStreamClosed(): void;

  // ---- frames in

  receiveFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#keepAlive?.noteReceived();
    if (this.state === "opening" && (type !== frameType.settings || (flags & flag.ack) !== 0)) {
      return this.fail("PROTOCOL_ERROR", "the first frame is not SETTINGS");
    }
    if (this.#assembly.isOpen !== (type === frameType.continuation)) {
      return this.fail("PROTOCOL_ERROR", "a field block was interrupted, or continued where there is none");
    }
    switch (type) {
      case frameType.headers:
        return this.#receiveHeaders(flags, streamId, payload);
      case frameType.continuation:
        return this.#receiveContinuation(flags, streamId, payload);
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
        if (!this.guard.admitEmptyFrame()) this.#calm("unknown frames");
    }
  }

  #receiveHeaders(flags: number, streamId: number, payload: Buffer): void {
    if (streamId === 0) return this.fail("PROTOCOL_ERROR", "HEADERS on stream 0");
    let from = 0;
    let to = payload.length;
    if ((flags & flag.padded) !== 0) {
      to -= payload[0] ?? 0;
      from = 1;
    }
    const hasPriority = (flags & flag.priority) !== 0;
    const dependsOnItself = hasPriority && to >= from + 5 && readUint31(payload, from) === streamId;
    if (hasPriority) from += 5;
    if (from > payload.length) return this.fail("FRAME_SIZE_ERROR", "HEADERS that are too short");
    if (from > to) return this.fail("PROTOCOL_ERROR", "padding longer than its frame");
    const endStream = (flags & flag.endStream) !== 0;
    const block = payload.subarray(from, to);
    if ((flags & flag.endHeaders) !== 0) this.#receiveBlock(streamId, endStream, block);
    else this.#beginAssembly(streamId, endStream, block);
    if (dependsOnItself) this.#refuseStream(streamId, "PROTOCOL_ERROR");
  }

  #beginAssembly(streamId: number, endStream: boolean, block: Buffer): void {
    this.#assembly.begin(streamId, endStream, block);
    this.#blockDeadline ??= new Deadline(() => this.#calm("a field block that takes too long"));
    this.timers.arm(this.#blockDeadline, this.limits.headTimeoutMs);
  }

  #receiveContinuation(flags: number, streamId: number, payload: Buffer): void {
    const assembly = this.#assembly;
    if (streamId !== assembly.streamId) return this.fail("PROTOCOL_ERROR", "CONTINUATION of another stream");
    if (!assembly.add(payload)) return this.#calm("a field block without end");
    if ((flags & flag.endHeaders) === 0) return;
    const { endStream } = assembly;
    const block = assembly.take();
    if (this.#blockDeadline !== undefined) this.timers.clear(this.#blockDeadline);
    this.#receiveBlock(streamId, endStream, block);
  }

  #receiveBlock(streamId: number, endStream: boolean, block: Buffer): void {
    const fields = this.#fields;
    fields.length = 0;
    const decoded = this.#decoder.decode(block, fields, this.limits.maxHeadBytes);
    if (decoded === "invalid") return this.fail("COMPRESSION_ERROR", "a field block that is not HPACK");
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.receiveNewHeaders(streamId, fields, decoded, endStream);
    if (!stream.canReceive) return this.#refuseStream(streamId, "STREAM_CLOSED");
    stream.receiveHeaders(fields, decoded, endStream);
  }

  beginData(flags: number, streamId: number, length: number): void {
    this.#keepAlive?.noteReceived();
    this.#dataStream = undefined;
    this.#dataCredit = length;
    this.#dataEndsStream = (flags & flag.endStream) !== 0;
    if (this.state === "opening" || this.#assembly.isOpen || streamId === 0) {
      return this.fail("PROTOCOL_ERROR", "DATA where no DATA may be");
    }
    if (!this.#window.receive(length)) return this.fail("FLOW_CONTROL_ERROR", "DATA beyond the connection's window");
    const credit = this.#window.takeCredit();
    if (credit > 0) writeWindowUpdate(this.outbox, 0, credit);
    if (length === 0 && !this.#dataEndsStream && !this.guard.admitEmptyFrame()) return this.#calm("empty DATA");
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.#receiveLateData(streamId);
    if (!stream.canReceive) return this.#refuseStream(streamId, "STREAM_CLOSED");
    if (!stream.admitData(length)) return this.#refuseStream(streamId, "FLOW_CONTROL_ERROR");
    if (length > 0) this.guard.noteData();
    this.#dataStream = stream;
  }

  receiveData(chunk: Buffer): void {
    this.#dataCredit -= chunk.length;
    this.#dataStream?.receiveData(chunk);
  }

  endData(): void {
    const stream = this.#dataStream;
    if (stream === undefined || !stream.canReceive) return;
    this.#dataStream = undefined;
    if (this.#dataEndsStream) stream.receiveEnd(undefined);
    else if (this.#dataCredit > 0) stream.credit(this.#dataCredit);
  }

  /** DATA for a stream that is gone: on its way when we reset it, or a breach. */
  #receiveLateData(streamId: number): void {
    if (this.isIdle(streamId)) return this.fail("PROTOCOL_ERROR", "DATA on a stream that was never opened");
    switch (this.closedStreams.find(streamId)) {
      case "reset-here":
        return;
      case "ended":
      case "reset-there":
        return this.fail("STREAM_CLOSED", "DATA on a stream that is closed");
      case undefined:
        if (!this.guard.admitEmptyFrame()) this.#calm("DATA on closed streams");
    }
  }

  #receiveReset(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) return this.fail("FRAME_SIZE_ERROR", "RST_STREAM of another size than 4");
    if (streamId === 0 || this.isIdle(streamId)) return this.fail("PROTOCOL_ERROR", "RST_STREAM on an idle stream");
    this.counters.resetsReceived++;
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (!this.guard.admitEmptyFrame()) this.#calm("resets of closed streams");
      return;
    }
    stream.receiveReset(readUint32(payload, 0));
    this.chargeReset();
  }

  #receiveWindowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) return this.fail("FRAME_SIZE_ERROR", "WINDOW_UPDATE of another size than 4");
    if (!this.guard.admitEmptyFrame()) return this.#calm("WINDOW_UPDATE");
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
    if (!this.guard.admitEmptyFrame()) return this.#calm("SETTINGS");
    if ((flags & flag.ack) !== 0) {
      if (payload.length > 0) return this.fail("FRAME_SIZE_ERROR", "an acknowledgement with a payload");
      this.#decoder.setLimit(this.limits.decoderTableBytes);
      return;
    }
    const windowBefore = this.peer.initialWindowBytes;
    const error = this.peer.apply(payload, !this.#isServer);
    if (error !== undefined) return this.fail(error.code, error.reason);
    this.#encoder.setPeerLimit(this.peer.headerTableBytes);
    const grown = this.peer.initialWindowBytes - windowBefore;
    if (grown !== 0) {
      for (const stream of this.streams.values()) {
        if (!stream.creditSending(grown)) return this.fail("FLOW_CONTROL_ERROR", "a window beyond 2^31-1");
      }
    }
    writeSettingsAck(this.outbox);
    if (this.state === "opening") {
      this.state = "open";
      this.timers.clear(this.#idle);
      if (this.streams.size === 0) this.#awaitStreams();
    }
    this.scheduler.pump();
    this.afterSettings();
  }

  #receivePing(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) return this.fail("PROTOCOL_ERROR", "PING on a stream");
    if (payload.length !== 8) return this.fail("FRAME_SIZE_ERROR", "PING of another size than 8");
    if (!this.guard.admitEmptyFrame()) return this.#calm("PING");
    if ((flags & flag.ack) === 0) writePing(this.outbox, payload, true);
    else this.receivePong();
  }

  #receivePriority(streamId: number, payload: Buffer): void {
    if (streamId === 0) return this.fail("PROTOCOL_ERROR", "PRIORITY on stream 0");
    if (!this.guard.admitEmptyFrame()) return this.#calm("PRIORITY");
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

  /** A stream was lost through the peer's doing. */
  protected chargeReset(): void {
    if (this.#isServer && !this.guard.admitReset()) this.#calm("streams that are reset, or must be");
  }

  #calm(what: string): void {
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
    const encoder = this.#encoder;
    const flat = headers?.flat ?? [];
    const most = encoder.bound(pseudo) + encoder.bound(flat);
    if (most > defaultMaxFrameBytes) {
      const block = Buffer.allocUnsafe(most);
      const length = encoder.encode(block, encoder.encode(block, 0, pseudo), flat);
      return writeHeaderBlock(outbox, streamId, block.subarray(0, length), endStream);
    }
    const at = outbox.reserve(frameHeaderBytes + most);
    const start = at + frameHeaderBytes;
    const end = encoder.encode(outbox.buffer, encoder.encode(outbox.buffer, start, pseudo), flat);
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

  sendPing(opaque: Buffer): void {
    writePing(this.outbox, opaque, false);
  }

  // ---- life and death

  protected admit(stream: Http2Stream): void {
    if (this.streams.size === 0 && this.state !== "opening") this.timers.clear(this.#idle);
    this.streams.set(stream.id, stream);
    this.counters.streams++;
  }

  forget(stream: Http2Stream, closing: Closing): void {
    this.streams.delete(stream.id);
    if (closing !== "reset-here") this.closedStreams.note(stream.id, closing);
    if (closing === "ended") this.guard.noteCompletion();
    if (this.streams.size === 0) this.#awaitStreams();
    this.onStreamClosed();
  }

  #awaitStreams(): void {
    if (this.state === "open" || this.state === "draining") this.timers.arm(this.#idle, this.limits.idleTimeoutMs);
  }

  #expireIdle(): void {
    if (this.state === "opening") this.fail("SETTINGS_TIMEOUT", "no SETTINGS in time");
    else this.drain();
  }

  /** No new streams; running ones finish, and then the connection ends. */
  abstract drain(): void;

  /** The code of a `MeshError` for streams that end because of the peer or the connection. */
  protected abstract readonly codeOfLoss: ErrorCode;

  /** A connection error of the peer (RFC 9113 §5.4.1): GOAWAY, and the end. */
  fail(error: Http2ErrorName, reason: string): void {
    if (this.isFailed) return;
    this.#error = new Error(`HTTP/2 ${error}: ${reason}`);
    this.finish(error, reason);
  }

  /** Says GOAWAY and closes; streams that are still open are lost. */
  protected finish(error: Http2ErrorName, reason: string): void {
    if (this.isFailed) return;
    writeGoaway(this.outbox, this.lastPeerStreamId, errorCode[error], reason);
    this.#stopTimers();
    this.state = "closing";
    // First the octets, then the word on them: a request that goes out now may be processed.
    this.outbox.flush();
    this.#loseStreams(`the connection ended: ${error}, ${reason}`);
    this.socket.end();
    this.#linger = new Deadline(() => this.socket.destroy());
    this.timers.arm(this.#linger, lingerMs);
  }

  /** Closes at once. */
  destroy(error?: Error): void {
    if (this.state === "closed") return;
    this.#error ??= error;
    this.#stopTimers();
    this.state = "closing";
    this.socket.destroy();
    this.#loseStreams(error?.message ?? "the connection was closed");
  }

  destroyStalled(): void {
    this.destroy(new Error("the peer takes no more octets"));
  }

  #afterClose(): void {
    if (this.state === "closed") return;
    this.#loseStreams(this.#error?.message ?? "the connection was closed");
    this.state = "closed";
    this.#stopTimers();
    if (this.#linger !== undefined) this.timers.clear(this.#linger);
    this.onClosed?.(this.#error);
  }

  #loseStreams(reason: string): void {
    if (this.streams.size === 0) return;
    const error = new MeshError(this.codeOfLoss, reason, this.#error === undefined ? {} : { cause: this.#error });
    for (const stream of this.streams.values()) stream.lose(error);
  }

  #stopTimers(): void {
    this.timers.clear(this.#idle);
    if (this.#blockDeadline !== undefined) this.timers.clear(this.#blockDeadline);
    this.#keepAlive?.stop();
  }
}
