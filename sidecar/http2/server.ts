/**
 * The server's end of an HTTP/2 connection: each request goes to one service. Refuses what is malformed, too large or
 * too much before the service sees it; knows no policy.
 */

import type { Socket } from "node:net";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import { Deadline } from "../net/deadline.ts";
import type { Service } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { Http2Connection } from "./connection.ts";
import type { Field } from "./field.ts";
import { largestStreamId, setting, writeGoaway } from "./frames.ts";
import { readRequest } from "./headers.ts";
import type { Decoded } from "./hpack/decoder.ts";
import type { Http2Options } from "./options.ts";
import { ServerStream, type ServerStreamHost } from "./server-stream.ts";

export interface Http2ServerOptions extends Http2Options {
  /** Called when the codec itself refuses a request. */
  readonly onRefused?: (code: ErrorCode) => void;
}

/** The payload of the PING between the two GOAWAY frames of a drain. */
const drainPing = Buffer.from("tulle go", "latin1");
/** If a peer does not answer that PING within this time, the last stream is announced anyway. */
const drainPingTimeoutMs = 2000;
/** How long a connection that is to be closed waits for the request that it was opened for. */
const restBeforeLeavingMs = 1000;
/**
 * Response heads are not subject to flow control: a client that keeps sending requests and reads no response would fill our memory
 * with them. So nothing more is read from it once this much is unsent, which bodies alone never reach (see `send-scheduler.ts`).
 * This can't deadlock as long as the client keeps reading while it has something to write, as ours does.
 */
const maxUnsentBytes = 1024 * 1024;

/** Serves a connection whose next bytes, or first bytes in `received`, are the client's preface. */
export function serveHttp2(
  socket: Socket,
  service: Service,
  options: Http2ServerOptions,
  received?: Buffer,
): Http2ServerConnection {
  return new Http2ServerConnection(socket, service, options, received);
}

/**
 * A drain: GOAWAY for all streams that could ever be, PING, and when that is back GOAWAY for those that really came
 * (RFC 9113 §6.8).
 * ```
 *   none ──drain──▶ announced ──PING back, or no answer──▶ final
 *     └──leave──▶ due ──a stream, or a second without──▶ announced
 * ```
 */
type Drain = "none" | "due" | "announced" | "final";

export class Http2ServerConnection extends Http2Connection implements ServerStreamHost {
  protected readonly codeOfLoss: ErrorCode = "upstream_closed";
  readonly maxHeaderFields: number;
  readonly #socket: Socket;
  readonly #service: Service;
  readonly #onRefused: Http2ServerOptions["onRefused"];
  #lastStreamId = 0;
  #drain: Drain = "none";
  #drainDeadline: Deadline | undefined;
  /** One for all streams: a timer per body would cost more than it is worth. */
  readonly #pace = new Deadline(() => this.#judgePace());
  /** Armed while nothing is read from the client, because it reads nothing. */
  readonly #unread = new Deadline(() => this.#judgeUnread());
  /** `sentBytes` when it was armed. */
  #sentBefore = 0;

  constructor(socket: Socket, service: Service, options: Http2ServerOptions, received: Buffer | undefined) {
    super(socket, options, true);
    this.#socket = socket;
    this.#service = service;
    this.#onRefused = options.onRefused;
    this.maxHeaderFields = this.limits.maxHeaderFields;
    this.sendSettings([
      [setting.maxConcurrentStreams, this.limits.maxConcurrentStreams],
      [setting.enableConnectProtocol, 1],
    ]);
    this.timers.arm(this.#pace, this.stallTimeoutMs);
    if (received !== undefined) this.receive(received);
  }

  protected override receive(chunk: Buffer): void {
    super.receive(chunk);
    if (!this.outbox.congested || this.outbox.unsentBytes <= maxUnsentBytes || this.isFailed) return;
    this.#socket.pause();
    if (this.#unread.slot === undefined) this.#awaitReading();
  }

  protected override onDrained(): void {
    this.timers.clear(this.#unread);
    if (this.#socket.isPaused()) this.#socket.resume();
    super.onDrained();
  }

  #awaitReading(): void {
    this.#sentBefore = this.scheduler.sentBytes;
    this.timers.arm(this.#unread, this.stallTimeoutMs);
  }

  #judgeUnread(): void {
    const taken = this.scheduler.sentBytes - this.#sentBefore;
    if (taken >= Math.max(1, this.minBytesPerStall)) return this.#awaitReading();
    this.#noteRefused("answer_not_taken");
    this.destroyStalled();
  }

  /** Gives up bodies of announced length that arrive too slowly. */
  #judgePace(): void {
    for (const stream of this.streams.values()) {
      if (stream.keepsPace(Math.max(1, this.minBytesPerStall))) continue;
      this.#noteRefused("request_too_slow");
      stream.reset("CANCEL");
      stream.lose(new MeshError("request_too_slow", "body not sent in time"));
    }
    if (!this.isFailed) this.timers.arm(this.#pace, this.stallTimeoutMs);
  }

  protected override stopTimers(): void {
    super.stopTimers();
    this.timers.clear(this.#pace);
    this.timers.clear(this.#unread);
  }

  protected get lastPeerStreamId(): number {
    return this.#lastStreamId;
  }

  /** We would open the even streams, and we push nothing. */
  protected isIdle(streamId: number): boolean {
    return streamId > this.#lastStreamId || streamId % 2 === 0;
  }

  protected receiveNewHeaders(streamId: number, fields: readonly Field[], decoded: Decoded, endStream: boolean): void {
    if (streamId % 2 === 0) return this.fail("PROTOCOL_ERROR", "HEADERS on a stream that a client can't open");
    if (streamId <= this.#lastStreamId) return this.#receiveLateHeaders(streamId);
    this.#lastStreamId = streamId;
    if (this.#drain === "final") return this.sendReset(streamId, "REFUSED_STREAM");
    if (this.streams.size >= this.limits.maxConcurrentStreams) return this.#refuseUnseen(streamId);
    if (decoded === "too-large") return this.#refuseHead(streamId, endStream);
    const received = readRequest(fields, endStream, this.maxHeaderFields);
    if (received === "too-many-fields") return this.#refuseHead(streamId, endStream);
    if (received === "malformed") {
      this.#noteRefused("bad_request");
      return this.refuseStream(streamId, "PROTOCOL_ERROR", "a malformed request");
    }
    const stream = new ServerStream(this, streamId, this.peer.initialWindowBytes, received);
    this.admit(stream);
    if (this.#drain === "due") this.drain();
    stream.start(this.#service);
  }

  /** Trailers for a stream that is gone: they were on their way when we reset it, or they break the protocol. */
  #receiveLateHeaders(streamId: number): void {
    const closing = this.closedStreams.find(streamId);
    if (closing === "reset-here") return;
    if (closing === undefined) return this.fail("PROTOCOL_ERROR", "HEADERS on a stream below the last one");
    this.fail("STREAM_CLOSED", "HEADERS on a stream that is closed");
  }

  /** The decoder's table is in step, so only this request is lost. */
  #refuseHead(streamId: number, endStream: boolean): void {
    this.#noteRefused("head_too_large");
    const headers = new HeaderFields(["tulle-error", "head_too_large" satisfies ErrorCode]);
    this.sendHeaders(streamId, [":status", "431"], headers, true);
    if (!endStream) this.sendReset(streamId, "NO_ERROR");
    else this.closedStreams.note(streamId, "ended");
    if (!this.guard.admitEmptyFrame()) this.calm("heads beyond the limit");
  }

  #noteRefused(code: ErrorCode): void {
    this.counters.refused++;
    this.#onRefused?.(code);
  }

  /** The stream is beyond our limit. No service saw it, so it costs us no more than a frame. */
  #refuseUnseen(streamId: number): void {
    this.sendReset(streamId, "REFUSED_STREAM");
    if (!this.guard.admitEmptyFrame()) this.calm("streams beyond the limit");
  }

  protected receiveGoaway(): void {
    this.state = "draining";
    this.finishIfIdle();
  }

  protected afterSettings(): void {}

  protected receivePong(opaque: Buffer): void {
    if (this.#drain === "announced" && opaque.equals(drainPing)) this.#announceLast();
  }

  /** Drains, but a new connection not before its first request: otherwise its client would open one after the other in vain. */
  leave(): void {
    if (this.openedStreams > 0) return this.drain();
    if (this.#drain !== "none" || this.isFailed) return;
    this.#drain = "due";
    this.#drainDeadline = new Deadline(() => this.drain());
    this.timers.arm(this.#drainDeadline, restBeforeLeavingMs);
  }

  /** Accepts no new requests after a round trip; running ones finish, and then the connection ends. */
  drain(): void {
    if (this.#drain === "announced" || this.#drain === "final" || this.isFailed) return;
    if (this.#drainDeadline !== undefined) this.timers.clear(this.#drainDeadline);
    this.#drain = "announced";
    if (this.streams.size === 0 && this.state !== "open") return this.#announceLast();
    writeGoaway(this.outbox, largestStreamId, 0, "");
    this.sendPing(drainPing);
    this.#drainDeadline = new Deadline(() => this.#announceLast());
    this.timers.arm(this.#drainDeadline, drainPingTimeoutMs);
  }

  #announceLast(): void {
    if (this.#drainDeadline !== undefined) this.timers.clear(this.#drainDeadline);
    if (this.isFailed) return;
    this.#drain = "final";
    this.state = "draining";
    if (this.streams.size === 0) return this.finish("NO_ERROR", "");
    writeGoaway(this.outbox, this.#lastStreamId, 0, "");
  }
}
