import type net from "node:net";
import { afterEach, expect, it } from "vitest";
import { type Connections, type Listener, listen } from "../../../sidecar/net/listener.ts";
import { eventually } from "../../support/eventually.ts";
import { RawClient } from "../../support/sockets.ts";
import { keptAlive } from "../../support/tcp-table.ts";

let listener: Listener | undefined;

afterEach(() => listener?.close());

async function listening(accept: (socket: net.Socket, connections: Connections) => void): Promise<Listener> {
  listener = await listen({ host: "127.0.0.1", port: 0 }, accept);
  return listener;
}

it("counts its connections from their acceptance to their end", async () => {
  const there = await listening((socket) => socket.on("error", () => {}).resume());
  expect(there.connectionCount).toBe(0);
  const client = new RawClient(there.port);
  await eventually(() => there.connectionCount === 1);
  client.socket.resetAndDestroy();
  await eventually(() => there.connectionCount === 0);
});

it.runIf(process.platform === "linux")("has the kernel find out which of its clients vanished", async () => {
  const there = await listening((socket) => socket.on("error", () => {}).resume());
  const client = new RawClient(there.port);
  await expect.poll(() => keptAlive("local", there.port)).toBe(1);
  client.socket.destroy();
});

it("drains served connections, drops those whose protocol is not known yet, and accepts no new ones", async () => {
  const served: net.Socket[] = [];
  let drains = 0;
  const there = await listening((socket, connections) => {
    served.push(socket.resume());
    if (served.length > 1) return;
    connections.serve(socket, {
      drain: () => {
        drains++;
      },
    });
  });
  const known = new RawClient(there.port);
  await eventually(() => served.length === 1);
  const unknown = new RawClient(there.port);
  await eventually(() => served.length === 2);
  let drained = false;
  const end = there.drain().then(() => {
    drained = true;
  });
  await unknown.closed;
  await eventually(() => there.connectionCount === 1);
  expect([drains, drained]).toEqual([1, false]);
  const late = new RawClient(there.port);
  expect(await late.closed).toBe("reset");
  known.socket.end();
  served[0]?.end();
  await end;
  expect(there.connectionCount).toBe(0);
});

it("drains connections at once whose protocol becomes known during the drain, and each drain ends", async () => {
  const accepted = Promise.withResolvers<readonly [net.Socket, Connections]>();
  const there = await listening((socket, connections) => {
    connections.serve(socket, { drain() {} });
    accepted.resolve([socket.resume(), connections]);
  });
  const client = new RawClient(there.port);
  const [socket, connections] = await accepted.promise;
  const drains = [there.drain(), there.drain()];
  const drained = new Promise<void>((resolve) => connections.serve(socket, { drain: resolve }));
  await drained;
  client.socket.end();
  socket.end();
  await Promise.all(drains);
  expect(there.connectionCount).toBe(0);
});

it("closes the connection that has been idle longest for one too many, or if none is idle, the new one", async () => {
  const served: string[] = [];
  let exceeded = 0;
  const accept = (_socket: net.Socket, connections: Connections) => {
    const name = String(served.length);
    served.push("");
    const isAtRest = name !== "0";
    connections.serve(_socket.on("error", () => {}).resume(), { isAtRest, drain: () => _socket.end() });
  };
  const limit = { most: 2, onExceeded: () => exceeded++ };
  listener = await listen({ host: "127.0.0.1", port: 0 }, accept, limit);
  const { port } = listener;
  const connect = async () => {
    const before = served.length;
    const client = new RawClient(port);
    await eventually(() => served.length > before);
    return client;
  };
  const [busy, atRest] = [await connect(), await connect()];
  const next = await connect();
  await atRest.closed;
  expect([exceeded, listener.connectionCount]).toEqual([1, 2]);
  next.socket.destroy();
  busy.socket.destroy();
});

it("closes, if none is idle, the oldest connection of the address that has most", async () => {
  const accept = (socket: net.Socket, connections: Connections) =>
    connections.serve(
      socket.resume().on("error", () => {}),
      { drain() {} },
    );
  listener = await listen({ host: "127.0.0.1", port: 0 }, accept, { most: 3 });
  const { port } = listener;
  const crowd: RawClient[] = [];
  for (let i = 0; i < 3; i++) {
    crowd.push(new RawClient(port, "127.0.0.1", { localAddress: "127.0.0.2" }));
    await eventually(() => listener?.connectionCount === i + 1);
  }
  const other = new RawClient(port);
  await crowd[0]?.closed;
  expect(listener.connectionCount).toBe(3);
  const late = new RawClient(port, "127.0.0.1", { localAddress: "127.0.0.2" });
  await late.closed;
  for (const { socket } of [...crowd.slice(1), other]) {
    expect(socket.readyState).toBe("open");
    socket.destroy();
  }
});

it("waits in a drain for connections that it closed to make room, and answers only so many of them at a time", async () => {
  const maxDisplaced = 100;
  let drains = 0;
  const accept = (socket: net.Socket, connections: Connections) =>
    connections.serve(
      socket.resume().on("error", () => {}),
      { isAtRest: true, drain: () => void drains++ },
    );
  listener = await listen({ host: "127.0.0.1", port: 0 }, accept, { most: 1 });
  const { port } = listener;
  const clients = Array.from({ length: maxDisplaced + 3 }, () => new RawClient(port));
  let cut = 0;
  for (const { closed } of clients) void closed.then(() => cut++);
  await eventually(() => cut === 2);
  expect([drains, listener.connectionCount]).toEqual([maxDisplaced, 1]);
  let isDrained = false;
  const drained = listener.drain().then(() => {
    isDrained = true;
  });
  const [first, ...others] = clients;
  for (const { socket } of others) socket.resetAndDestroy();
  await eventually(() => listener?.connectionCount === 0);
  expect(isDrained).toBe(false);
  first?.socket.resetAndDestroy();
  await drained;
});

it("ends everything when it is closed", async () => {
  const there = await listening((socket) => void socket.on("error", () => {}));
  const client = new RawClient(there.port);
  await eventually(() => there.connectionCount === 1);
  there.close();
  expect(await client.closed).toBe("ended");
});

it("rejects if it can't listen", async () => {
  const there = await listening(() => {});
  await expect(listen({ host: "127.0.0.1", port: there.port }, () => {})).rejects.toThrow("EADDRINUSE");
});
