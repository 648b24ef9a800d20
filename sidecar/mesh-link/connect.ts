/** Opens one connection of a link: TCP, mutual TLS 1.3 with the peer's identity checked, then HTTP/2. */

import tls from "node:tls";
import { joinAddress } from "../../model/address.ts";
import type { Clock } from "../../model/clock.ts";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import { err, ok, type Result } from "../../model/result.ts";
import { Http2Client } from "../http2/client.ts";
import type { Credentials, Identity } from "../identity/credentials.ts";
import { checkPeer, meshClientContext, meshClientOptions } from "../identity/tls-options.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import { LastingTrust } from "./lasting-trust.ts";
import { linkHeadLimits } from "./limits.ts";
import type { ConnectLink, LinkConnection, LinkEvents } from "./link.ts";
import { asLinkConnection } from "./link-connection.ts";

export const meshPort = 15_008;

export interface ConnectOptions {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Wall-clock time in ms since 1970, as in certificates. */
  readonly unixNow: () => number;
  /** `ok`, or why it failed. */
  readonly onHandshake: (outcome: string) => void;
}

/** A peer that is silent for this long is asked; if it doesn't answer it is dead, after the sum of the two. */
const keepAlive = { intervalMs: 5_000, timeoutMs: 3_000 };
const maxAgeMs = 8 * 3_600_000;
/** A connection is replaced this long before either leaf expires, or a fifth of the remaining time if that is shorter. */
const renewalLeadMs = 10 * 60_000;
const renewalShare = 0.2;

/** Serves all links of one sidecar: the TLS context is created once per set of credentials. */
export function linkConnector(options: ConnectOptions): (podIp: string, identity: string) => ConnectLink {
  let context = meshClientContext(options.identity.current());
  options.identity.onChange((credentials) => {
    context = meshClientContext(credentials);
  });
  return (podIp, identity) => (timeoutMs, events, done) => {
    const socket = tls.connect({
      host: podIp,
      port: meshPort,
      ...meshClientOptions(context, identity),
    });
    new Handshake(socket, podIp, identity, timeoutMs, options, events, done);
  };
}

/** One attempt, from the dial to the connection or to its only error. */
class Handshake extends Timer {
  readonly #socket: tls.TLSSocket;
  readonly #podIp: string;
  readonly #identity: string;
  readonly #options: ConnectOptions;
  readonly #events: LinkEvents;
  #done: ((connection: Result<LinkConnection, MeshError>) => void) | undefined;
  #tcpConnected = false;
  /** `TimerWheel.heldUpMs` so far: time in which this process did not run must not count against the peer. */
  #allowedMs: number;

  constructor(
    socket: tls.TLSSocket,
    podIp: string,
    identity: string,
    timeoutMs: number,
    options: ConnectOptions,
    events: LinkEvents,
    done: (connection: Result<LinkConnection, MeshError>) => void,
  ) {
    super();
    this.#socket = socket;
    this.#podIp = podIp;
    this.#identity = identity;
    this.#options = options;
    this.#events = events;
    this.#done = done;
    this.#allowedMs = options.wheel.heldUpMs;
    socket.setNoDelay(true);
    socket.on("connect", this.#onConnect);
    socket.on("secureConnect", this.#onSecure);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    if (Number.isFinite(timeoutMs)) options.wheel.arm(this, timeoutMs);
  }

  override expire(): void {
    const { wheel } = this.#options;
    const heldUpMs = wheel.heldUpMs - this.#allowedMs;
    this.#allowedMs += heldUpMs;
    if (heldUpMs > 0) return wheel.arm(this, heldUpMs);
    // If the first packet is dropped it is usually a NetworkPolicy; a peer that accepts and is silent is in trouble.
    this.#fail(this.#tcpConnected ? "connect_timeout" : "mesh_port_unreachable", "no answer in time");
  }

  #onConnect = (): void => {
    this.#tcpConnected = true;
  };

  #onError = (error: Error): void => {
    const code = this.#codeOf(error);
    this.#fail(code, error.message, error);
  };

  #onClose = (): void => this.#fail("mesh_port_unreachable", "closed during the handshake");

  #onSecure = (): void => {
    const peer = checkPeer(this.#socket, this.#identity);
    if (!peer.ok) return this.#fail("identity_mismatch", peer.error);
    this.#socket.off("close", this.#onClose); // from here on the client reports the end
    const { clock, wheel } = this.#options;
    const client = new Http2Client(this.#socket, { clock, timers: wheel, keepAlive, ...linkHeadLimits });
    // Its SETTINGS say how many streams it takes and whether it supports upgrades: half a round trip, once per link.
    client.onClosed = (error) => this.#fail("tls_failed", `no HTTP/2 connection: ${error?.message ?? "closed"}`);
    const trust = new LastingTrust(this.#socket, this.#options.identity);
    const endMs = this.#replaceAtMs();
    const replaceAtMs = (): number => (trust.holds ? endMs : 0);
    client.onReady = () => this.#settle("ok", ok(asLinkConnection(client, this.#events, replaceAtMs)));
  };

  #codeOf(error: Error): ErrorCode {
    if (!this.#tcpConnected) return "mesh_port_unreachable";
    return error.message.includes(identityWord) ? "identity_mismatch" : "tls_failed";
  }

  #fail(code: ErrorCode, reason: string, cause?: Error): void {
    const where = `${joinAddress(this.#podIp, meshPort)} (${this.#identity}): ${reason}`;
    this.#settle(code, err(new MeshError(code, where, { cause, processed: "unprocessed" })));
    this.#socket.destroy();
  }

  #settle(outcome: string, result: Result<LinkConnection, MeshError>): void {
    const done = this.#done;
    if (done === undefined) return;
    this.#done = undefined;
    this.#options.wheel.clear(this);
    this.#socket.off("connect", this.#onConnect).off("secureConnect", this.#onSecure).off("close", this.#onClose);
    // The error listener stays where it failed: an error without one would end the process.
    if (result.ok) this.#socket.off("error", this.#onError);
    this.#options.onHandshake(outcome);
    done(result);
  }

  #replaceAtMs(): number {
    const { clock, unixNow, identity } = this.#options;
    const own: Credentials = identity.current();
    const peer = this.#socket.getPeerX509Certificate();
    const peerEndMs = peer === undefined ? own.notAfterMs : Date.parse(peer.validTo);
    const leftMs = Math.min(own.notAfterMs, peerEndMs) - unixNow();
    return clock.now() + Math.min(leftMs - Math.min(renewalLeadMs, leftMs * renewalShare), maxAgeMs);
  }
}

const identityWord = "instead of";
