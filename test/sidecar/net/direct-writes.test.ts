import { once } from "node:events";
import net from "node:net";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { DirectWriter, proveDirectWrites } from "../../../sidecar/net/direct-writes.ts";
import { Outbox } from "../../../sidecar/net/outbox.ts";
import { untilClosed } from "../../support/sockets.ts";

const opened: (() => unknown)[] = [];

afterEach(() => {
  for (const close of opened.splice(0)) close();
});

async function connect(): Promise<{ near: net.Socket; far: net.Socket }> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = net.connect({ port: (server.address() as net.AddressInfo).port, host: "127.0.0.1" });
  const [[far]] = (await Promise.all([once(server, "connection"), once(near, "connect")])) as [[net.Socket], unknown];
  for (const socket of [near, far]) socket.on("error", () => {}); // told by what arrives, or does not
  opened.push(
    () => near.destroy(),
    () => far.destroy(),
    () => server.close(),
  );
  return { near, far };
}

async function textOf(socket: net.Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const never = (): void => expect.unreachable("it was taken at once");

describe("writing by the handle", () => {
  beforeAll(async () => void (await proveDirectWrites()));

  it("works on this Node", async () => {
    expect(await proveDirectWrites()).toBe(true);
  });

  it("is accepted at once while the kernel has room", async () => {
    const { near, far } = await connect();
    expect(new DirectWriter(near).write(Buffer.from("hello"), never)).toBe("taken");
    near.end();
    expect(await textOf(far)).toBe("hello");
  });

  it("keeps its order among writes through the stream", async () => {
    const { near, far } = await connect();
    const writer = new DirectWriter(near);
    writer.write(Buffer.from("one "), never);
    near.write("two ");
    writer.write(Buffer.from("three "), never);
    near.end("four");
    expect(await textOf(far)).toBe("one two three four");
  });

  it("is left to the stream while that holds something, and before there is a connection", async () => {
    const { near } = await connect();
    near.cork();
    near.write("held");
    expect(new DirectWriter(near).write(Buffer.from("x"), never)).toBe("not-now");
    const connecting = net.connect({ port: near.remotePort as number, host: "127.0.0.1" });
    opened.push(() => connecting.destroy());
    expect(new DirectWriter(connecting).write(Buffer.from("x"), never)).toBe("not-now");
  });

  it("reports when a slow peer has read everything, which arrives whole", async () => {
    const { near, far } = await connect();
    const writer = new DirectWriter(near);
    const chunk = Buffer.alloc(64 * 1024, "x");
    const written: Promise<void>[] = [];
    let bytes = 0;
    for (let queued = 0; queued < 3; ) {
      const { promise, resolve } = Promise.withResolvers<void>();
      bytes += chunk.length;
      if (writer.write(chunk, resolve) !== "queued") continue;
      written.push(promise);
      queued++;
    }
    near.end();
    const text = await textOf(far);
    await Promise.all(written);
    expect(text.length).toBe(bytes);
  });

  it("destroys the socket if the peer is gone", async () => {
    const { near, far } = await connect();
    const writer = new DirectWriter(near);
    const closed = untilClosed(near);
    near.on("error", () => {});
    far.resetAndDestroy();
    while (!near.destroyed) {
      writer.write(Buffer.from("x"), () => {});
      await new Promise(setImmediate);
    }
    await closed;
    expect(writer.write(Buffer.from("x"), never)).toBe("not-now");
  });

  it("lets a congested outbox drain after the writer has returned", async () => {
    const { near, far } = await connect();
    far.resume();
    const drained = Promise.withResolvers<void>();
    let returned = false;
    const outbox = new Outbox(
      near,
      () => {
        expect(returned).toBe(true);
        drained.resolve();
      },
      { highWaterBytes: 10 },
    );
    outbox.append(Buffer.alloc(20));
    expect(outbox.congested).toBe(true);
    outbox.flush();
    returned = true;
    await drained.promise;
    expect(outbox.congested).toBe(false);
    expect(outbox.takenBytes).toBe(20);
  });
});
