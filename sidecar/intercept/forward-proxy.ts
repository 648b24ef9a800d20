/**
 * A forward-proxy client names its destination in each request, or asks for a tunnel to it. That lets unmodified programs use
 * the mesh with `http_proxy=` alone.
 */

import type net from "node:net";
import { splitAddress } from "../../model/address.ts";
import { MeshError } from "../../model/errors.ts";
import { serveHttp1 } from "../http1/server.ts";
import type { Service } from "../net/exchange.ts";
import type { Connections } from "../net/listener.ts";
import { nowhere } from "../net/pass-through.ts";
import { type Dialled, type ServeOptions, serveDialled } from "./dialled.ts";

export interface ForwardProxyOptions extends ServeOptions {
  /** Undefined: this sidecar itself, a loop. */
  readonly dial: (host: string, port: number) => Dialled | undefined;
}

const defaultHttpPort = 80;

/** Serves a forward-proxy client: requests in absolute form, and CONNECT, after which anything may be spoken. */
export function serveForwardProxy(socket: net.Socket, connections: Connections, options: ForwardProxyOptions): void {
  const service: Service = (exchange, response) => {
    const { host, port = defaultHttpPort } = splitAddress(exchange.authority);
    const dialled = host === "" ? undefined : options.dial(host, port);
    if (dialled !== undefined) return dialled.service(exchange, response);
    const code = host === "" ? "bad_request" : "loop_detected";
    options.onRefused(code);
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
  options: ForwardProxyOptions,
): void {
  const { host, port } = splitAddress(authority);
  const isAddress = host !== "" && port !== undefined;
  const dialled = isAddress ? options.dial(host, port) : undefined;
  if (dialled !== undefined) return serveDialled(socket, connections, dialled, authority, options, received);
  options.onRefused(isAddress ? "loop_detected" : "bad_request");
  socket.destroy();
}
