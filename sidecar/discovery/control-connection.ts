/** One `Discovery.Stream` on one TLS connection, from the dial to its end. It keeps no memory and retries nothing. */

import type { Clock } from "../../model/clock.ts";
import type { SidecarMessage } from "../../proto/generated/tulle/v1/SidecarMessage.ts";
import type { Update__Output } from "../../proto/generated/tulle/v1/Update.ts";
import { decodeMessage, encodeMessage } from "../../proto/wire.ts";
import { reasonOf } from "../../system/log.ts";
import { GrpcCall } from "../grpc/call.ts";
import type { Credentials } from "../identity/credentials.ts";
import { controlPlaneServer } from "../identity/issue.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";

export interface ConnectionOptions {
  /** `host:port` */
  readonly address: string;
  readonly credentials: Credentials;
  readonly controlPlaneIdentity: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export interface ConnectionEvents {
  /** The control plane has accepted this sidecar. */
  readonly opened: () => void;
  readonly update: (update: Update__Output) => void;
  /** Called once, whatever happened; nothing is called after it. */
  readonly closed: (reason: string) => void;
}

/** The longest time from the dial to `opened`. */
const openTimeoutMs = 10_000;
const maxMessageBytes = 64 * 1024 * 1024;
/**
 * Rare, because the control plane takes anything that is sent as a sign of life, and must answer each PING of maybe a thousand
 * sidecars.
 */
const keepAlive = { intervalMs: 90_000, timeoutMs: 10_000 };

export class ControlConnection {
  readonly address: string;
  readonly #call: GrpcCall;
  readonly #events: ConnectionEvents;
  readonly #timeout: NodeJS.Timeout;
  #closed = false;

  /** Dials at once; events come later, never during this call. */
  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    const { address, credentials, controlPlaneIdentity, clock, wheel } = options;
    this.address = address;
    this.#events = events;
    const server = controlPlaneServer(controlPlaneIdentity, {
      cert: credentials.certificateChainPem,
      key: credentials.privateKeyPem,
      ca: credentials.trustBundlePem,
    });
    const path = "/tulle.v1.Discovery/Stream";
    this.#call = new GrpcCall(
      { ...server, address, path, clock, wheel, keepAlive, maxMessageBytes },
      {
        opened: () => {
          clearTimeout(this.#timeout);
          events.opened();
        },
        message: (message) => this.#receive(message),
        closed: (error) => this.#end(error?.message ?? "ended by the control plane"),
      },
    );
    this.#timeout = setTimeout(() => this.#end(`no answer within ${openTimeoutMs} ms`), openTimeoutMs);
  }

  /** Messages wait for the connection to open; those of a closed connection are dropped. */
  send(message: SidecarMessage): void {
    this.#call.send(encodeMessage("SidecarMessage", message));
  }

  /** Closes silently: `closed` is not called. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timeout);
    this.#call.cancel();
  }

  #receive(message: Buffer): void {
    let update: Update__Output;
    try {
      update = decodeMessage("Update", message) as Update__Output;
    } catch (error) {
      return this.#end(`an update that can't be read: ${reasonOf(error)}`);
    }
    this.#events.update(update);
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.close();
    this.#events.closed(reason);
  }
}
