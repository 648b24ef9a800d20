/** Raw sockets for tests that speak a protocol byte by byte. All on loopback, port 0. */

import { type EventEmitter, once } from "node:events";
import * as net from "node:net";

/** A connection that its far end may cut at any time: such an error is only for whoever is waiting on it at that moment. */
export function dialRaw(to: net.NetConnectOpts): net.Socket {
  return net.connect(to).on("error", () => {});
}

/** Resolves when the connection is gone, whatever ended it; `once` would reject if an error comes first. */
export function untilClosed(connection: EventEmitter): Promise<void> {
  connection.on("error", () => {});
  return new Promise((resolve) => connection.once("close", () => resolve()));
}

/** A listening server; `close` also ends its connections. */
export interface Listening {
  readonly port: number;
  readonly connections: ReadonlySet<net.Socket>;
  close(): Promise<void>;
}

export async function listen(onConnection: (socket: net.Socket) => void): Promise<Listening> {
  const connections = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    socket.on("error", () => connections.delete(socket));
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    connections,
    close: async () => {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A client that sends what it is told and keeps what it receives. */
export class RawClient {
  readonly socket: net.Socket;
  received = "";
  /** Settles once the connection is really gone; "reset" if the peer cut it. */
  readonly closed: Promise<"ended" | "reset">;
  #waiting: { found: (text: string) => boolean; resolve: (text: string) => void; reject: (error: Error) => void }[] =
    [];

  constructor(port: number, host = "127.0.0.1", from: { readonly localAddress?: string } = {}) {
    this.socket = net.connect({ host, port, allowHalfOpen: true, ...from });
    this.socket.setNoDelay(true);
    const { promise, resolve } = Promise.withResolvers<"ended" | "reset">();
    this.closed = promise;
    let end: "ended" | "reset" = "ended";
    this.socket.on("data", (chunk) => {
      this.received += chunk.toString("latin1");
      this.#look();
    });
    this.socket.on("end", () => this.socket.end());
    this.socket.on("error", () => {
      end = "reset";
    });
    this.socket.on("close", () => {
      resolve(end);
      for (const waiting of this.#waiting.splice(0))
        waiting.reject(new Error(`closed after ${JSON.stringify(this.received)}`));
    });
  }

  send(text: string): this {
    this.socket.write(Buffer.from(text, "latin1"));
    return this;
  }

  /** Waits until the received text matches. */
  receive(expected: string | ((text: string) => boolean)): Promise<string> {
    const found = typeof expected === "string" ? (text: string) => text.includes(expected) : expected;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting.push({ found, resolve, reject });
    this.#look();
    return promise;
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ found, resolve }) => {
      if (!found(this.received)) return true;
      resolve(this.received);
      return false;
    });
  }
}
