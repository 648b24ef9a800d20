/** A server under attack by one raw peer, on a socket of their own; time goes by as the test says. */

import { afterEach, beforeEach } from "vitest";
import type { Http2Options } from "../../../sidecar/http2/options.ts";
import { type Http2ServerConnection, serveHttp2 } from "../../../sidecar/http2/server.ts";
import type { Exchange, Service } from "../../../sidecar/net/exchange.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordingUpstream } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { type Listening, listen } from "../../support/sockets.ts";
import { echo } from "./peers.ts";
import { get, HEADERS, headers, RawPeer, SETTINGS } from "./raw-peer.ts";

const ENHANCE_YOUR_CALM = 11;

export class AttackedServer {
  readonly clock = new HandClock(1000);
  readonly timers = new TimerWheel(this.clock, { drive: false });
  service: Service = echo;
  /** Those that the service has seen. */
  exchanges: Exchange[] = [];
  /** What the codec refused by itself. */
  refused: string[] = [];
  #listening: Listening | undefined;
  #peer: RawPeer | undefined;
  #connection: Http2ServerConnection | undefined;

  get peer(): RawPeer {
    return present(this.#peer);
  }

  get connection(): Http2ServerConnection {
    return present(this.#connection);
  }

  get openSockets(): number {
    return present(this.#listening).connections.size;
  }

  /** Whether the server reads what comes. */
  get reads(): boolean {
    return [...present(this.#listening).connections].every((socket) => !socket.isPaused());
  }

  /** `greets`: the peer says what a client says first, and has the server's SETTINGS. */
  async start(more: Partial<Http2Options> = {}, settings?: Buffer, greets = true): Promise<void> {
    const { clock, timers } = this;
    const observed: Service = (exchange, response) => {
      this.exchanges.push(exchange);
      return this.service(exchange, response);
    };
    this.#listening = await listen((socket) => {
      const onRefused = (code: string): void => void this.refused.push(code);
      this.#connection = serveHttp2(socket, observed, { clock, timers, onRefused, ...more });
    });
    this.#peer = await RawPeer.connect(this.#listening.port, settings, greets);
    if (greets) await this.peer.receiveType(SETTINGS);
  }

  /** Starts with a service that waits. */
  async startWaiting(more: Partial<Http2Options> = {}, settings?: Buffer): Promise<RecordingUpstream> {
    const upstream = new RecordingUpstream();
    this.service = upstream.service;
    await this.start(more, settings);
    return upstream;
  }

  /** Lets time pass, and the timers with it. */
  pass(ms: number): void {
    for (let i = 0; i < ms; i += 10) {
      this.clock.advance(10);
      this.timers.advance();
    }
  }

  /** The connection still serves, and its HPACK state is in step. */
  async serves(streamId: number): Promise<boolean> {
    this.peer.send(headers(streamId, get));
    return (await this.peer.receiveType(HEADERS, streamId)) !== undefined;
  }

  /** Whether the connection ends by ENHANCE_YOUR_CALM; resolves when it is really gone. */
  async calms(): Promise<boolean> {
    const code = await this.peer.goawayCode();
    await this.peer.closed;
    await eventually(() => this.openSockets === 0);
    return code === ENHANCE_YOUR_CALM;
  }

  reset(): void {
    this.service = echo;
    this.exchanges = [];
    this.refused = [];
  }

  async stop(): Promise<void> {
    this.peer.socket.destroy();
    await this.#listening?.close();
  }
}

/** One for all tests of a file, which start it. */
export function attackedServer(): AttackedServer {
  const target = new AttackedServer();
  beforeEach(() => target.reset());
  afterEach(() => target.stop());
  return target;
}

function present<T>(item: T | undefined): T {
  if (item === undefined) throw new Error("the server has not been started yet");
  return item;
}
