/** Serves a connection whose destination is known: finds out what it speaks, and gives it to that codec. */

import type net from "node:net";
import type { Clock } from "../../model/clock.ts";
import type { Protocol } from "../../model/resources.ts";
import { serveHttp1 } from "../http1/server.ts";
import { serveHttp2 } from "../http2/server.ts";
import { type Detected, detect } from "../net/detect.ts";
import type { Service } from "../net/exchange.ts";
import type { Connections } from "../net/listener.ts";
import { serveTcp } from "../net/tcp.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";

/** Where a connection or a request wants to go. */
export interface Dialled {
  readonly service: Service;
  /** As declared; undefined while the control plane has not said. */
  readonly protocol: Protocol | undefined;
}

export interface ServeOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly onRefused: (code: string) => void;
}

/** Serves a connection whose destination is known. A declared protocol is believed, and never waited for. */
export function serveDialled(
  socket: net.Socket,
  connections: Connections,
  dialled: Dialled,
  authority: string,
  options: ServeOptions,
  received: Buffer = Buffer.alloc(0),
): void {
  const serve = (protocol: Detected, bytes: Buffer) => {
    const { clock, wheel, onRefused } = options;
    socket.resume(); // from the next tick on, when the codec listens; it may pause it again
    switch (protocol) {
      case "http1":
        return connections.serve(socket, serveHttp1(socket, dialled.service, { timers: wheel, onRefused }, bytes));
      case "http2":
        return connections.serve(
          socket,
          serveHttp2(socket, overHttp2(dialled.service), { clock, timers: wheel }, bytes),
        );
      case "tls":
      case "opaque":
        return connections.serve(socket, serveTcp(socket, authority, dialled.service, bytes));
    }
  };
  const declared = declaredAs(dialled.protocol);
  if (declared !== undefined) serve(declared, received);
  else if (dialled.protocol === "http1") {
    // Never a tunnel: what the codec would refuse (an empty line first, a TLS hello) must not get past it.
    detect(socket, options.wheel, (found, bytes) => serve(found === "http2" ? found : "http1", bytes), received);
  } else detect(socket, options.wheel, serve, received);
}

function declaredAs(protocol: Protocol | undefined): Detected | undefined {
  switch (protocol) {
    case undefined:
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

function overHttp2(service: Service): Service {
  return (exchange, response) => {
    exchange.overHttp2 = true;
    return service(exchange, response);
  };
}
