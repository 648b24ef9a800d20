/** The port of Identity, by grpc-js: limits, keepalive, how it opens and how it closes. */

import { isIPv6 } from "node:net";
import { Server, type ServerCredentials } from "@grpc/grpc-js";

export interface GrpcServerLimits {
  /** Of one message from a client. */
  readonly maxReceivedBytes: number;
  readonly maxStreamsPerConnection: number;
}

/** Dead peers are found within 40 s; clients may ping every 10 s. */
export function createGrpcServer({ maxReceivedBytes, maxStreamsPerConnection }: GrpcServerLimits): Server {
  return new Server({
    "grpc.max_receive_message_length": maxReceivedBytes,
    "grpc.max_concurrent_streams": maxStreamsPerConnection,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
  });
}

/** Resolves to the port; rejects in one plain line where it can't be had. */
export function bindServer(
  server: Server,
  host: string,
  port: number,
  credentials: ServerCredentials,
): Promise<number> {
  const address = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      // grpc-js wraps the system's words: `No address added …: [listen EADDRINUSE: address already in use …]`.
      else reject(new Error(`can't listen: ${/\[(.*)\]$/.exec(error.message)?.[1] ?? error.message}`));
    });
  });
}

/** A connection whose client went in the middle of its handshake is never reported as closed, and nobody can end it. */
const lingerMs = 500;

/** Lets calls finish for `graceMs`, then ends them, and waits no longer than a moment for connections that don't end. */
export function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), graceMs);
    const leave = setTimeout(resolve, graceMs + lingerMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      clearTimeout(leave);
      resolve();
    });
  });
}
