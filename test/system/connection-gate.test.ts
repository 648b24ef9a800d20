import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { ConnectionGate } from "../../system/connection-gate.ts";
import { eventually } from "../support/eventually.ts";

const servers: net.Server[] = [];
const sockets: net.Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listen(host: string, take: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer((socket) => {
    sockets.push(socket.on("error", () => {}).resume());
    take(socket);
  });
  servers.push(server);
  await once(server.listen(0, host), "listening");
  return (server.address() as AddressInfo).port;
}

async function dial(host: string, port: number, localPort?: number): Promise<net.Socket> {
  const socket = net.connect({ host, port, localAddress: "127.0.0.1", ...(localPort && { localPort }) });
  sockets.push(socket.on("error", () => {}).resume());
  await once(socket, "connect");
  return socket;
}

it("tells a connection from the same port as a former one apart from that", async () => {
  const refused: string[] = [];
  let open = 0;
  const gate = new ConnectionGate(
    { maxConnections: 10, maxHandshakes: 10 },
    { opened: () => open++, closed: () => open--, refused: (why) => refused.push(why) },
  );
  const taken: net.Socket[] = [];
  const enter = (socket: net.Socket): void => {
    taken.push(socket);
    gate.enter(socket);
  };
  const [first, second] = [await listen("127.0.0.1", enter), await listen("127.0.0.2", enter)];
  const former = await dial("127.0.0.1", first);
  await eventually(() => open === 1);
  await dial("127.0.0.2", second, former.localPort);
  await eventually(() => open === 2);
  former.destroy();
  await eventually(() => open === 1);
  expect(refused).toEqual(["handshake"]);

  const [, newer] = taken;
  if (newer === undefined) throw new Error("only one came");
  gate.settle(newer);
  gate.destroy();
  await eventually(() => open === 0);
  expect(refused).toEqual(["handshake"]);
});
