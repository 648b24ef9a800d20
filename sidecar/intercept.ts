/**
 * The outbound side's way in: finds out where a connection of the application wants to go, and what it speaks.
 * First that applies: a forward-proxy request names its destination; an explicit upstream's listener has it by configuration.
 */

import type net from "node:net";
import type { Clock } from "../model/clock.ts";
import { MeshError } from "../model/errors.ts";
import type { Protocol } from "../model/resources.ts";
import { serveHttp1 } from "./http1/server.ts";
import { serveHttp2 } from "./http2/server.ts";
import { splitAddress } from "./net/address.ts";
import { type Detected, detect } from "./net/detect.ts";
import type { Service } from "./net/exchange.ts";
import type { Connections } from "./net/listener.ts";
import { nowhere } from "./net/pass-through.ts";
import { serveTcp } from "./net/tcp.ts";
import type { TimerWheel } from "./net/timer-wheel.ts";

/** Where a connection or a request wants to go. */
export interface Dialled {
  readonly service: Service;
  /** As declared; undefined while the control plane has not said. */
  readonly protocol: Protocol | undefined;
}

export interface InterceptOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Undefined: this sidecar itself, a loop. */
  readonly dial: (host: string, port: number) => Dialled | undefined;
  readonly onRefused: (code: string) => void;
}

const defaultHttpPort = 80;

/** Serves a forward-proxy client: requests in absolute form, and CONNECT, behind which anything may be spoken. */
export function serveForwardProxy(socket: net.Socket, connections: Connections, options: InterceptOptions): void {
  const service: Service = (exchange, response) => {
    const { host, port = defaultHttpPort } = splitAddress(exchange.authority);
    const dialled = host === "" ? undefined : options.dial(host, port);
    if (dialled !== undefined) return dialled.service(exchange, response);
    const code = host === "" ? "bad_request" : "loop_detected";
    response.abortResponse(new MeshError(code, `It is for ${exchange.authority || "no host"}.`));
    return nowhere;
  };
  const connection = serveHttp1(socket, service, {
    timers: options.wheel,
    forwardProxy: true,
    onRefused: options.onRefused,
    onTunnel: (authority, received) => serveTunnel(socket, connections, authority, received, options),
  });
  connections.serve(socket, connection);
}

function serveTunnel(
  socket: net.Socket,
  connections: Connections,
  authority: string,
  received: Buffer,
  options: InterceptOptions,
): void {
  const { host, port } = splitAddress(authority);
  const dialled = host === "" || port === undefined ? undefined : options.dial(host, port);
  if (dialled === undefined) socket.destroy();
  else serveDialled(socket, connections, dialled, authority, options, received);
}

/** Serves a connection whose destination is known. A declared protocol is believed, and never waited for. */
export function serveDialled(
  socket: net.Socket,
  connections: Connections,
  dialled: Dialled,
  authority: string,
  options: InterceptOptions,
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
  else detect(socket, options.wheel, serve, received);
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
