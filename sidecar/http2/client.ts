/**
 * The client's end of an HTTP/2 connection: a service whose requests become streams. It holds no queue: whoever owns
 * it asks `canOpenStream` first and waits for `onStreamSlot`.
 */

import type { Socket } from "node:net";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import type { Exchange, RequestSink, ResponseSink, Service } from "../net/exchange.ts";
import { ClientStream, type ClientStreamHost } from "./client-stream.ts";
import { Http2Connection } from "./connection.ts";
import { TokenBucket } from "./flood-guard.ts";
import { clientPreface, largestStreamId, nameOfError, setting } from "./frames.ts";
import type { Http2Options } from "./options.ts";

export interface Http2ClientOptions extends Http2Options {
  /**
   * For writers that can't be stopped: a request is lost if the server takes less than `minBytesPerSecond` of it. Default false:
   * a server may take its time.
   */
  readonly losesStalled?: boolean;
}

/** Early cancellations: half of what our own server considers an attack, and no more than common servers accept. */
const cancelBurst = 250;
const cancelsPerSecond = 25;

/** How many streams we open before the peer has announced its limit. RFC 9113 §6.5.2 recommends that it be no less than 100. */
const streamsBeforeSettings = 100;

export class Http2Client extends Http2Connection implements ClientStreamHost {
  protected readonly codeOfLoss: ErrorCode = "upstream_closed";
  protected readonly lastPeerStreamId = 0;
  readonly maxHeaderFields: number;
  readonly losesStalled: boolean;
  /** The peer's SETTINGS arrived. */
  onReady: (() => void) | undefined;
  /** The peer, or `drain`, allows no new streams; running ones finish. */
  onGoaway: ((reason: string) => void) | undefined;
  /** `canOpenStream` is true again: a stream ended, or the peer raised its limit. */
  onStreamSlot: (() => void) | undefined;
  #nextStreamId = 1;
  readonly #cancels: TokenBucket;

  constructor(socket: Socket, options: Http2ClientOptions) {
    super(socket, options, false);
    this.#cancels = new TokenBucket(cancelBurst, cancelsPerSecond, options.clock);
    this.maxHeaderFields = this.limits.maxHeaderFields;
    this.losesStalled = options.losesStalled === true;
    this.outbox.append(clientPreface);
    this.sendSettings([[setting.enablePush, 0]]);
  }

  /** How many streams the peer allows at a time. */
  get maxConcurrentStreams(): number {
    return this.state === "opening" ? streamsBeforeSettings : this.peer.maxConcurrentStreams;
  }

  get canOpenStream(): boolean {
    return (
      (this.state === "open" || this.state === "opening") &&
      this.streams.size < this.maxConcurrentStreams &&
      this.#nextStreamId <= largestStreamId
    );
  }

  /** Whether the peer accepts extended CONNECT (RFC 8441); false until its SETTINGS arrive. */
  get canUpgrade(): boolean {
    return this.peer.enableConnectProtocol;
  }

  get flushes(): number {
    return this.outbox.flushes;
  }

  isUnsent(flushes: number): boolean {
    return this.outbox.flushes === flushes;
  }

  noteRefused(): void {
    this.counters.refused++;
  }

  admitCancel(): boolean {
    return this.#cancels.take();
  }

  /** Opens a stream. If it can't, it aborts at once with `refused_stream`: the request was certainly not processed. */
  readonly request: Service = (exchange: Exchange, response: ResponseSink): RequestSink => {
    const refusal = this.#refusal(exchange);
    if (refusal !== undefined) {
      response.abortResponse(refusal);
      return closedRequest;
    }
    const stream = new ClientStream(this, this.#nextStreamId, this.peer.initialWindowBytes, exchange, response);
    this.#nextStreamId += 2;
    this.admit(stream);
    stream.start();
    // Ids are never used again (RFC 9113 §5.1.1): after 2^30 requests the connection has none left.
    if (this.#nextStreamId > largestStreamId) this.drain();
    return stream;
  };

  #refusal(exchange: Exchange): MeshError | undefined {
    const processed = "unprocessed";
    if (!this.canOpenStream)
      return new MeshError("refused_stream", `no stream can be opened: ${this.state}`, { processed });
    if (exchange.upgrade === undefined || this.canUpgrade) return undefined;
    if (this.state === "opening") {
      return new MeshError("refused_stream", "the peer has not said yet that it takes upgrades", { processed });
    }
    return new MeshError("unsupported", "the peer takes no upgrades (extended CONNECT)", { processed });
  }

  protected isIdle(streamId: number): boolean {
    return streamId >= this.#nextStreamId || streamId % 2 === 0;
  }

  protected receiveNewHeaders(streamId: number): void {
    if (this.isIdle(streamId)) return this.fail("PROTOCOL_ERROR", "HEADERS on a stream that was never opened");
    if (this.closedStreams.find(streamId) !== "ended") return;
    this.fail("STREAM_CLOSED", "HEADERS on a stream that is closed");
  }

  protected receiveGoaway(lastStreamId: number, code: number): void {
    const reason = `GOAWAY ${nameOfError(code)}`;
    const isFirst = this.state !== "draining";
    this.state = "draining";
    for (const stream of this.streams.values()) {
      if (stream.id > lastStreamId && stream instanceof ClientStream) stream.loseUnprocessed(reason);
    }
    if (isFirst) this.onGoaway?.(reason);
    this.finishIfIdle();
  }

  protected afterSettings(): void {
    this.onReady?.();
    this.#offerSlot();
  }

  protected receivePong(): void {}

  /** Opens no more streams; running ones finish, and then the connection ends. */
  drain(): void {
    if (this.isFailed || this.state === "draining") return;
    this.state = "draining";
    this.onGoaway?.("drain");
    this.finishIfIdle();
  }

  protected override onStreamClosed(): void {
    super.onStreamClosed();
    this.#offerSlot();
  }

  #offerSlot(): void {
    if (this.canOpenStream) this.onStreamSlot?.();
  }
}

/** The request sink of a request that was refused before it began. */
const closedRequest: RequestSink = {
  writeRequest: () => true,
  endRequest: () => {},
  abortRequest: () => {},
  resumeResponse: () => {},
};
