/**
 * Tests on a loopback connection of its own, in about a millisecond, whether some internal of Node still works as it is used
 * here. What is tested is up to the caller.
 */

import { once } from "node:events";
import net from "node:net";

const patienceMs = 1_000;

/** Short, so that nobody waits for long. */
export type Trial = (client: net.Socket, accepted: net.Socket, patience: AbortSignal) => Promise<boolean>;

/** Resolves to false also if the trial rejects, or no connection can be made. */
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
