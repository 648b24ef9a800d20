/** The mesh port: accepts links from peers only. Anything but mutual TLS of this trust domain gets no byte in return. */

import { once } from "node:events";
import type { Socket } from "node:net";
import tls from "node:tls";
import type { Clock } from "../../model/clock.ts";
import type { ErrorCode } from "../../model/errors.ts";
import { ConnectionGate } from "../../system/connection-gate.ts";
import { serveHttp2 } from "../http2/server.ts";
import type { Identity } from "../identity/credentials.ts";
import { checkPeer, meshContextOptions, meshServerOptions } from "../identity/tls-options.ts";
import type { Service } from "../net/exchange.ts";
import { asListener, Connections, type Listener, type ListenerLimit, type ServedConnection } from "../net/listener.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { LastingTrust } from "./lasting-trust.ts";
import { linkHeadLimits } from "./limits.ts";

/** A WebSocket holds a stream for as long as it lives, and all traffic of a pod pair shares a link. */
const maxConcurrentStreams = 1_000;
/**
 * The sidecar at the client's own connection judges slow clients. What its client takes steadily is credited here in leaps of
 * half a window behind a full outbox: 768 KiB, which at 1.3 KiB/s takes ten minutes.
 */
const stallTimeoutMs = 600_000;
/** Anybody may begin a handshake, and each holds some 50 KB for up to 10 s. */
const defaultMaxHandshakes = 1_000;

export interface AcceptOptions {
  readonly host: string;
  readonly port: number;
  readonly identity: Identity;
  readonly trustDomain: string;
  /** Gets every request with `exchange.peer` set from the caller's certificate. */
  readonly service: Service;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly limit?: Partial<ListenerLimit>;
  /** Handshakes at a time. One too many, and the address with the most loses one; `limit` is told. Default 1,000. */
  readonly maxHandshakes?: number;
  /** `ok`, or why it failed. */
  readonly onHandshake: (outcome: string) => void;
  /** Called when the codec itself refuses a request. */
  readonly onRefused?: (code: ErrorCode) => void;
}

/** Rejects if it can't listen. New links get a new certificate; existing links stay as long as their roots are trusted. */
export async function acceptLinks(options: AcceptOptions): Promise<Listener> {
  const { identity, onHandshake, maxHandshakes = defaultMaxHandshakes } = options;
  const connections = new Connections(options.limit);
  const trusted = new Map<ServedConnection, LastingTrust>();
  // Settled connections are counted by `connections`. The gate also makes the kernel probe those that are silent.
  const gate = new ConnectionGate(
    { maxConnections: Number.POSITIVE_INFINITY, maxHandshakes },
    { opened() {}, closed() {}, refused: (why) => void (why === "too_many" && options.limit?.onExceeded?.()) },
  );
  const server = tls.createServer(meshServerOptions(identity.current()), (socket) => {
    gate.settle(socket);
    serveLink(socket, connections, trusted, options);
  });
  server.on("connection", (socket: Socket) => gate.enter(socket));
  server.on("tlsClientError", (error, socket) => {
    onHandshake(reasonOf(error, socket));
    socket.destroy();
  });
  const stopFollowing = identity.onChange((credentials) => {
    server.setSecureContext(meshContextOptions(credentials));
    for (const [connection, trust] of trusted) if (!trust.holds) connection.drain();
  });
  server.on("close", stopFollowing);
  server.listen({ host: options.host, port: options.port });
  await once(server, "listening");
  return asListener(server, connections);
}

function serveLink(
  socket: tls.TLSSocket,
  connections: Connections,
  trusted: Map<ServedConnection, LastingTrust>,
  options: AcceptOptions,
): void {
  const { identity, service, trustDomain, clock, wheel, onHandshake, onRefused } = options;
  const peer = checkPeer(socket, { trustDomain });
  if (!peer.ok) {
    onHandshake("identity_refused");
    socket.on("error", () => {}); // nothing to do: it is being closed
    socket.destroy();
    return;
  }
  onHandshake("ok");
  if (!connections.add(socket)) return;
  const identified: Service = (exchange, response) => {
    exchange.peer = peer.value;
    return service(exchange, response);
  };
  const connection = serveHttp2(socket, identified, {
    clock,
    timers: wheel,
    maxConcurrentStreams,
    stallTimeoutMs,
    ...linkHeadLimits,
    ...(onRefused && { onRefused }),
  });
  connections.serve(socket, connection);
  trusted.set(connection, new LastingTrust(socket, identity));
  socket.on("close", () => trusted.delete(connection));
}

/** A closed list of outcomes for a label: OpenSSL's own messages are unlimited in number. */
function reasonOf(error: Error & { code?: string }, socket: tls.TLSSocket): string {
  // Node verifies the certificate after OpenSSL's handshake, keeps the verdict here, and closes.
  const verdict: unknown = socket.authorizationError;
  if (verdict === "CERT_HAS_EXPIRED") return "expired";
  if (verdict === "CERT_NOT_YET_VALID") return "not_yet_valid";
  if (typeof verdict === "string") return "untrusted";
  switch (error.code ?? "") {
    case "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE":
      return "no_certificate";
    case "ERR_SSL_HTTP_REQUEST":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return "not_tls";
    case "ERR_SSL_UNSUPPORTED_PROTOCOL":
      return "version_refused";
    case "ECONNRESET":
      return "closed";
    default:
      return "failed";
  }
}
