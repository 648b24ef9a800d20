/** What can be set on an HTTP/2 connection, either end, with defaults that are safe for one that faces strangers. */

import type { Clock } from "../../model/clock.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import type { FloodLimits } from "./flood-guard.ts";
import { WindowBudget } from "./flow-control.ts";
import { defaultTableBytes, defaultWindowBytes } from "./frames.ts";
import type { KeepAliveOptions } from "./keep-alive.ts";

export interface Http2Options {
  readonly clock: Clock;
  readonly timers: TimerWheel;
  /** The largest header section as decoded, plus 32 octets per field (RFC 9113 §6.5.2). Default 32 KiB. */
  readonly maxHeadBytes?: number;
  /** The most fields in a header section; all cookie crumbs count as one. Default 100. */
  readonly maxHeaderFields?: number;
  /** How many streams the client may have open at a time; more are refused. Default 256. */
  readonly maxConcurrentStreams?: number;
  /** How much each stream may send us before anything is consumed. Default 65,535, the protocol's own. */
  readonly initialWindowBytes?: number;
  /** How far the window of a fast stream grows. Default 1 MiB. */
  readonly maxWindowBytes?: number;
  /** Credited on receipt, so it limits only the peer's own bursts. Default 16 MiB. */
  readonly connectionWindowBytes?: number;
  /** How much all windows together may grow. Default: one budget of 64 MiB for the process. */
  readonly windowBudget?: WindowBudget;
  /** The size of our decoder's dynamic table, which the peer's encoder may fill. Default 4,096, the protocol's own. */
  readonly decoderTableBytes?: number;
  /** The size of our encoder's dynamic table, if the peer allows as much. Default 4,096. */
  readonly encoderTableBytes?: number;
  /** How long the preface and the first SETTINGS may take. Default 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** How long a field block may take from HEADERS to its last CONTINUATION. Default 10 s. */
  readonly headTimeoutMs?: number;
  /** How long a connection may have no stream; then GOAWAY. Default 10 min. */
  readonly idleTimeoutMs?: number;
  /** How long body octets wait for a peer that takes none. Default 60 s. */
  readonly stallTimeoutMs?: number;
  /**
   * The least that the client must send of a body whose length it announced, or take of a response that waits for it, on average
   * over `stallTimeoutMs`; otherwise the stream is reset. A body without a length may be a conversation, and a tunnel is one. 0:
   * off. Default 100.
   */
  readonly minBytesPerSecond?: number;
  /** Default: none. */
  readonly keepAlive?: KeepAliveOptions;
  readonly floods?: FloodLimits;
}

/** The options with every default filled in. */
export type Http2Limits = Required<Omit<Http2Options, "clock" | "timers" | "keepAlive">> &
  Pick<Http2Options, "keepAlive">;

/** Shared by all connections of the process that name no other. */
const processWindowBudget = new WindowBudget(64 * 1024 * 1024);

export function resolveLimits(options: Http2Options): Http2Limits {
  return {
    maxHeadBytes: 32 * 1024,
    maxHeaderFields: 100,
    maxConcurrentStreams: 256,
    initialWindowBytes: defaultWindowBytes,
    maxWindowBytes: 1024 * 1024,
    connectionWindowBytes: 16 * 1024 * 1024,
    windowBudget: processWindowBudget,
    decoderTableBytes: defaultTableBytes,
    encoderTableBytes: defaultTableBytes,
    handshakeTimeoutMs: 10_000,
    headTimeoutMs: 10_000,
    idleTimeoutMs: 600_000,
    stallTimeoutMs: 60_000,
    minBytesPerSecond: 100,
    floods: {},
    ...options,
  };
}
