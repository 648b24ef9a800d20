/**
 * Tries out on a connection of its own over loopback, in about a millisecond, whether something of Node's own still works as it
 * is used here. What is tried is its callers' business.
 */

import { once } from "node:events";
import net from "node:net";

const patienceMs = 1_000;

/** `patience` is over before anybody waits for long. */
export type Trial = (client: net.Socket, accepted: net.Socket, patience: AbortSignal) => Promise<boolean>;

/** False also where the trial rejects, or no connection comes about. */
export async function worksOnLoopback(works: Trial): Promise<boolean> {
  const server = net.createServer().listen(0, "127.0.0.1");
  const patience = AbortSignal.timeout(patienceMs);
  const sockets: net.Socket[] = [];
  // An end that fails leaves the other with nothing to show.
  const keep = (socket: net.Socket): net.Socket => {
    sockets.push(socket.on("error", () => {}));
    return socket;
  };
  try {
    await once(server, "listening", { signal: patience });
    const { port } = server.address() as net.AddressInfo;
    const client = keep(net.connect({ host: "127.0.0.1", port }));
    const [accepted] = (await once(server, "connection", { signal: patience })) as [net.Socket];
    return await works(client, keep(accepted), patience);
  } catch {
    return false;
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}
