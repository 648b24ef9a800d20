/** SETTINGS of the peer (RFC 9113 §6.5.2, RFC 8441 §3): their defaults, and what values are allowed. */

import type { Http2ErrorName } from "./frames.ts";
import {
  defaultMaxFrameBytes,
  defaultTableBytes,
  defaultWindowBytes,
  largestMaxFrameBytes,
  largestWindowBytes,
  readUint32,
  setting,
} from "./frames.ts";

export interface SettingsError {
  readonly code: Http2ErrorName;
  readonly reason: string;
}

export class PeerSettings {
  headerTableBytes = defaultTableBytes;
  /** The smallest size that the last SETTINGS frame set before that one (RFC 7541 §4.2). */
  minTableBytes = defaultTableBytes;
  /** Unlimited until the peer says otherwise. */
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  initialWindowBytes = defaultWindowBytes;
  maxFrameBytes = defaultMaxFrameBytes;
  enableConnectProtocol = false;

  /** Applies the payload of a SETTINGS frame, in order; unknown settings are ignored. */
  apply(payload: Buffer, peerIsServer: boolean): SettingsError | undefined {
    if (payload.length % 6 !== 0) return { code: "FRAME_SIZE_ERROR", reason: "SETTINGS that are no whole entries" };
    this.minTableBytes = this.headerTableBytes;
    for (let at = 0; at < payload.length; at += 6) {
      const id = payload.readUInt16BE(at);
      const error = this.#applyOne(id, readUint32(payload, at + 2), peerIsServer);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  #applyOne(id: number, value: number, peerIsServer: boolean): SettingsError | undefined {
    switch (id) {
      case setting.headerTableSize:
        this.headerTableBytes = value;
        this.minTableBytes = Math.min(this.minTableBytes, value);
        return undefined;
      case setting.enablePush:
        return value > 1 || (peerIsServer && value === 1) ? invalid("SETTINGS_ENABLE_PUSH", value) : undefined;
      case setting.maxConcurrentStreams:
        this.maxConcurrentStreams = value;
        return undefined;
      case setting.initialWindowSize:
        if (value > largestWindowBytes) return { ...invalid("INITIAL_WINDOW_SIZE", value), code: "FLOW_CONTROL_ERROR" };
        this.initialWindowBytes = value;
        return undefined;
      case setting.maxFrameSize:
        if (value < defaultMaxFrameBytes || value > largestMaxFrameBytes) return invalid("MAX_FRAME_SIZE", value);
        this.maxFrameBytes = value;
        return undefined;
      case setting.enableConnectProtocol:
        // RFC 8441 §3: it must not be taken back.
        if (value > 1 || (this.enableConnectProtocol && value === 0)) return invalid("ENABLE_CONNECT_PROTOCOL", value);
        this.enableConnectProtocol = value === 1;
        return undefined;
      default:
        return undefined;
    }
  }
}

function invalid(name: string, value: number): SettingsError {
  return { code: "PROTOCOL_ERROR", reason: `${name} of ${value}` };
}
