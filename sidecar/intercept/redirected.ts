/**
 * Connections that iptables redirects here: the application's on their way out, and plaintext on its way in. Each was
 * dialled to somewhere else, and the kernel still knows where. A destination that is this sidecar itself is a loop, and
 * refused.
 */

import type net from "node:net";
import { joinAddress } from "../../model/address.ts";
import type { InboundPort } from "../../model/resources.ts";
import type { SeenClients } from "../net/detect.ts";
import type { Service } from "../net/exchange.ts";
import type { Connections } from "../net/listener.ts";
import type { OriginalDestination, ReadOriginalDestination } from "../net/original-destination.ts";
import { nowhere } from "../net/pass-through.ts";
import { type Dialled, type ServeOptions, serveDialled } from "./dialled.ts";
import { type ForwardProxyOptions, serveForwardProxy } from "./forward-proxy.ts";

export interface RedirectedOptions extends ForwardProxyOptions {
  readonly originalDestination: ReadOriginalDestination;
  /** Dials an IP address. Undefined: it is this sidecar itself, a loop. */
  readonly dialAddress: (host: string, port: number) => Dialled | undefined;
}

/** Serves the application's own connections, and those to the listener itself, which come from forward-proxy clients. */
export function serveRedirected(socket: net.Socket, connections: Connections, options: RedirectedOptions): void {
  const destination = options.originalDestination(socket);
  if (destination === undefined || isOwnAddress(socket, destination)) {
    return serveForwardProxy(socket, connections, options);
  }
  const { host, port } = destination;
  const dialled = options.dialAddress(host, port);
  if (dialled === undefined) return refuseLoop(socket, options);
  serveDialled(socket, connections, dialled, joinAddress(host, port), options);
}

export interface PlainInboundOptions extends ServeOptions {
  readonly originalDestination: ReadOriginalDestination;
  /** The port of the application that was dialled, declared or not; undefined: one of this sidecar's own. */
  readonly portOf: (port: number) => InboundPort | undefined;
  /** What is known about the clients of that port. */
  readonly seen: (port: number) => SeenClients;
  /** Gets every request with `exchange.target` set. */
  readonly service: Service;
  /** A connection was reset because its port accepts only mutual TLS. */
  readonly onPlaintextRefused: () => void;
}

/**
 * Serves connections from callers without a sidecar. Nobody knows who they are, so `exchange.peer` stays undefined. If a port
 * accepts only mutual TLS they get no byte: a new connection is reset unread, an older one at its next request.
 */
export function servePlain(socket: net.Socket, connections: Connections, options: PlainInboundOptions): void {
  const destination = options.originalDestination(socket);
  const target =
    destination === undefined || isOwnAddress(socket, destination) ? undefined : options.portOf(destination.port);
  if (destination === undefined || target === undefined) return refuseLoop(socket, options);
  let isRefused = false;
  const refuse = (): void => {
    if (isRefused) return; // a read may bring several requests
    isRefused = true;
    options.onPlaintextRefused();
    reset(socket);
  };
  if (target.mtls === "strict") return refuse();
  // Checked again for each request: policies may have changed since the connection was opened.
  const targetNow = (): InboundPort => options.portOf(destination.port) ?? target;
  const targeted: Service = (exchange, response) => {
    exchange.target = targetNow();
    if (exchange.target.mtls !== "strict") return options.service(exchange, response);
    refuse();
    return nowhere;
  };
  // What the codec refuses reaches no service, and its response would be a byte too.
  const onRefused = (code: string): void => {
    options.onRefused(code);
    if (targetNow().mtls === "strict") refuse();
  };
  const { port, protocol } = target;
  const dialled = { service: targeted, protocol, seen: options.seen(port) };
  serveDialled(socket, connections, dialled, joinAddress(destination.host, port), { ...options, onRefused });
}

function isOwnAddress(socket: net.Socket, { host, port }: OriginalDestination): boolean {
  return port === socket.localPort && host === socket.localAddress;
}

/** Refuses a connection that was dialled to this sidecar itself. */
export function refuseLoop(socket: net.Socket, { onRefused }: Pick<ServeOptions, "onRefused">): void {
  onRefused("loop_detected");
  reset(socket);
}

function reset(socket: net.Socket): void {
  socket.on("error", () => {}); // nothing to do: it is being closed
  socket.resetAndDestroy();
}
