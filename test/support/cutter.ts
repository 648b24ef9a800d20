/** A TCP relay that breaks on cue: after a number of bytes in one direction or the other, both connections are reset. */

import { once } from "node:events";
import net from "node:net";

/** The bytes that are let through; absent: all. */
export interface Cut {
  readonly toServer?: number;
  readonly toClient?: number;
}

export class Cutter {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  /** Applies to future connections. */
  cut: Cut = {};
  /** The bytes passed by the latest connection. */
  passed = { toServer: 0, toClient: 0 };

  private constructor(host: string, port: number) {
    this.#server = net.createServer((client) => this.#relay(client, net.connect({ host, port })));
  }

  /** Starts a relay in front of a listening socket. */
  static async before(host: string, port: number): Promise<Cutter> {
    const cutter = new Cutter(host, port);
    cutter.#server.listen(0, "127.0.0.1");
    await once(cutter.#server, "listening");
    return cutter;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #relay(client: net.Socket, server: net.Socket): void {
    const { cut } = this;
    const passed = { toServer: 0, toClient: 0 };
    this.passed = passed;
    const reset = () => {
      client.resetAndDestroy();
      server.resetAndDestroy();
    };
    const pass = (way: keyof Cut, from: net.Socket, to: net.Socket) => {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("error", reset);
      from.on("close", () => {
        this.#sockets.delete(from);
        to.end();
      });
      from.on("data", (chunk: Buffer) => {
        const room = (cut[way] ?? Number.POSITIVE_INFINITY) - passed[way];
        passed[way] += Math.min(chunk.length, room);
        if (chunk.length < room) to.write(chunk);
        else to.write(chunk.subarray(0, room), reset);
      });
    };
    pass("toServer", client, server);
    pass("toClient", server, client);
  }
}
