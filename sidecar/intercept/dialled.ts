/** Serves a connection whose destination is known: detects its protocol, and hands it to that codec. */

import type net from "node:net";
import type { Clock } from "../../model/clock.ts";
import type { Protocol } from "../../model/resources.ts";
import { serveHttp1 } from "../http1/server.ts";
import { serveHttp2 } from "../http2/server.ts";
import { type Detected, detect, type Patience, type SeenClients } from "../net/detect.ts";
import type { Service } from "../net/exchange.ts";
import type { Connections } from "../net/listener.ts";
import { serveTcp } from "../net/tcp.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { openTentatively } from "./tentative-tunnel.ts";

/** What a connection or a request wants to reach. */
export interface Dialled {
  readonly service: Service;
  /** The declared protocol, once it is known. */
  readonly protocol: Protocol;
  /** Calls back once the declaration is known, or it is known that there will be none. Absent: it is known already. */
  readonly whenKnown?: ((call: () => void) => void) | undefined;
  /** Absent: nothing is remembered between connections. */
  readonly seen?: SeenClients | undefined;
}

export interface ServeOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly onRefused: (code: string) => void;
}

/** As long as a connection may be idle, and in addition as long as a head may take. */
const ofHttp: Patience = { silenceMs: 600_000, beginningMs: 10_000 };
/** A server that speaks first is not delayed longer than this. */
const ofAnything: Patience = { silenceMs: 300, beginningMs: 300 };
/** If clients were seen to speak first: limited all the same, since something else may run there by now. */
const ofSpeakers: Patience = { silenceMs: 10_000, beginningMs: 10_000 };

/** Serves a connection whose destination is known. A declared protocol is trusted, without waiting. */
export function serveDialled(
  socket: net.Socket,
  connections: Connections,
  dialled: Dialled,
  authority: string,
  options: ServeOptions,
  received: Buffer = Buffer.alloc(0),
): void {
  const served = new DialledConnection(socket, connections, dialled, authority, options);
  if (dialled.whenKnown === undefined) return served.begin(received);
  socket.on("error", ignore);
  dialled.whenKnown(() => {
    if (!socket.destroyed) served.begin(received);
    socket.off("error", ignore);
  });
}

class DialledConnection {
  readonly #socket: net.Socket;
  readonly #connections: Connections;
  readonly #dialled: Dialled;
  readonly #authority: string;
  readonly #options: ServeOptions;

  constructor(
    socket: net.Socket,
    connections: Connections,
    dialled: Dialled,
    authority: string,
    options: ServeOptions,
  ) {
    this.#socket = socket;
    this.#connections = connections;
    this.#dialled = dialled;
    this.#authority = authority;
    this.#options = options;
  }

  begin(received: Buffer): void {
    const { protocol, seen } = this.#dialled;
    const declared = declaredAs(protocol);
    if (declared !== undefined) return this.#serve(declared, received);
    if (protocol === "http1") return this.#detectVersion(received);
    const patience = seen?.speakFirst === true ? ofSpeakers : ofAnything;
    detect(this.#socket, this.#options.wheel, patience, (found, bytes) => this.#found(found, bytes), received);
  }

  /** Never a tunnel: what the codec would refuse (an empty first line, a TLS hello) must not get past it. */
  #detectVersion(received: Buffer): void {
    const found = (protocol: Detected | "undecided", bytes: Buffer): void => {
      if (protocol === "undecided" && bytes.length === 0) this.#socket.destroy();
      else this.#serve(protocol === "http2" ? protocol : "http1", bytes);
    };
    detect(this.#socket, this.#options.wheel, ofHttp, found, received);
  }

  #found(protocol: Detected | "undecided", received: Buffer): void {
    if (protocol !== "undecided") return this.#settled(protocol, received, this.#dialled.service);
    openTentatively(
      {
        socket: this.#socket,
        authority: this.#authority,
        service: this.#dialled.service,
        wheel: this.#options.wheel,
        settled: (settledAs, bytes, service) => this.#settled(settledAs, bytes, service),
      },
      received,
    );
  }

  #settled(protocol: Detected, received: Buffer, service: Service): void {
    const { seen } = this.#dialled;
    if (seen !== undefined && protocol !== "opaque") seen.speakFirst = true;
    this.#serve(protocol, received, service);
  }

  #serve(protocol: Detected, bytes: Buffer, service = this.#dialled.service): void {
    const socket = this.#socket;
    const { clock, wheel: timers, onRefused } = this.#options;
    socket.resume(); // from the next tick on, when the codec listens; it may pause it again
    switch (protocol) {
      case "http1":
        return this.#connections.serve(socket, serveHttp1(socket, service, { timers, onRefused }, bytes));
      case "http2":
        return this.#connections.serve(
          socket,
          serveHttp2(socket, overHttp2(service), { clock, timers, onRefused }, bytes),
        );
      case "tls":
      case "opaque":
        return this.#connections.serve(socket, serveTcp(socket, this.#authority, service, timers, bytes));
    }
  }
}

function ignore(): void {}

function declaredAs(protocol: Protocol): Detected | undefined {
  switch (protocol) {
    case "detect":
    // Declared HTTP says nothing of its version: prior-knowledge HTTP/2 shows itself by its preface.
    case "http1":
      return undefined;
    case "grpc":
    case "http2":
      return "http2";
    case "tls":
    case "opaque":
      return "opaque";
  }
}

/** One per connection. */
function overHttp2(service: Service): Service {
  const keptBodies = { bytes: 0 };
  return (exchange, response) => {
    exchange.overHttp2 = true;
    exchange.keptBodies = keptBodies;
    return service(exchange, response);
  };
}
