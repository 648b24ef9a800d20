import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { proveSharedReads, receiveFrom } from "../../../sidecar/net/shared-reads.ts";
import { makeCertificate, makeRoot } from "../../support/certificates.ts";
import { untilClosed } from "../../support/sockets.ts";

const root = makeRoot();
const { pem, keyPem } = makeCertificate({ issuer: root, extensions: [] });
const sockets: net.Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

interface Pair {
  readonly accepted: net.Socket;
  readonly dialled: net.Socket;
}

/** Two ends of a connection; what the accepted one reads is not read before it is given here. */
async function connect(kind: "plain" | "tls"): Promise<Pair> {
  const server =
    kind === "plain" ? net.createServer({ allowHalfOpen: true }) : tls.createServer({ cert: pem, key: keyPem });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const to = { host: "127.0.0.1", port };
  const dialled =
    kind === "plain"
      ? net.connect({ ...to, allowHalfOpen: true })
      : tls.connect({ ...to, ca: root.pem, checkServerIdentity: () => undefined });
  dialled.on("error", () => {});
  const [accepted] = (await once(server, kind === "plain" ? "connection" : "secureConnection")) as [net.Socket];
  server.close();
  sockets.push(accepted, dialled);
  accepted.on("error", () => {});
  return { accepted, dialled };
}

/** Everything that arrives, with the memory that it lay in. */
class Received {
  bytes = Buffer.alloc(0);
  readonly memories = new Set<ArrayBufferLike>();
  onChunk: () => void = () => {};

  constructor(socket: net.Socket) {
    receiveFrom(socket, (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.memories.add(chunk.buffer);
      this.onChunk();
    });
  }

  async until(length: number): Promise<void> {
    while (this.bytes.length < length) {
      await new Promise<void>((resolve) => {
        this.onChunk = resolve;
      });
    }
  }
}

it("reads through Node's streams until the handles are proven to work", async () => {
  const { accepted, dialled } = await connect("plain");
  const received = new Received(accepted);
  dialled.write("hello");
  await received.until(5);
  expect(accepted.listenerCount("data")).toBe(1);
});

describe("once proven", () => {
  beforeAll(async () => void (await proveSharedReads()));

  it("works on the Node that this project is pinned to", async () => {
    expect(await proveSharedReads()).toBe(true);
  });

  it.each(["plain", "tls"] as const)("all sockets read into one buffer, both ways: %s", async (kind) => {
    const sent = randomBytes(1_000_000);
    const memories = new Set<ArrayBufferLike>();
    for (let i = 0; i < 2; i++) {
      const { accepted, dialled } = await connect(kind);
      const there = new Received(accepted);
      const back = new Received(dialled);
      dialled.write(sent);
      accepted.write(sent);
      await Promise.all([there.until(sent.length), back.until(sent.length)]);
      expect(there.bytes.equals(sent)).toBe(true);
      expect(back.bytes.equals(sent)).toBe(true);
      for (const memory of [...there.memories, ...back.memories]) memories.add(memory);
    }
    expect(memories.size).toBe(1);
  });

  it("a read yields what has arrived, whatever was in the buffer before", async () => {
    const { accepted, dialled } = await connect("plain");
    const received = new Received(accepted);
    let sent = "";
    for (const text of ["one", "two", "a longer one", "six", "x".repeat(2_000), "one"]) {
      dialled.write(text);
      sent += text;
      await received.until(sent.length);
    }
    expect(received.bytes.toString()).toBe(sent);
  });

  it.each(["plain", "tls"] as const)(
    "a socket that is paused in the middle continues where it was: %s",
    async (kind) => {
      const sent = randomBytes(600_000);
      const { accepted, dialled } = await connect(kind);
      const received = new Received(accepted);
      let pauses = 0;
      received.onChunk = () => {
        if (++pauses % 3 !== 0) return;
        accepted.pause();
        setImmediate(() => accepted.resume());
      };
      dialled.end(sent);
      await once(accepted, "end");
      expect(received.bytes.equals(sent)).toBe(true);
      expect(pauses).toBeGreaterThan(3);
    },
  );

  it("a socket that was paused before reads nothing until it is resumed", async () => {
    const { accepted, dialled } = await connect("plain");
    accepted.pause();
    const received = new Received(accepted);
    dialled.end("later");
    await once(dialled, "finish");
    expect(received.bytes.length).toBe(0);
    accepted.resume();
    await once(accepted, "end");
    expect(received.bytes.toString()).toBe("later");
  });

  it("bytes that were read before come first, and nothing is lost", async () => {
    const { accepted, dialled } = await connect("plain");
    accepted.pause();
    accepted.read(0);
    dialled.write("first ");
    await once(accepted, "readable");
    expect(accepted.readableLength).toBeGreaterThan(0);
    const received = new Received(accepted);
    dialled.end("second");
    accepted.resume();
    await once(accepted, "end");
    expect(received.bytes.toString()).toBe("first second");
  });

  it("the end comes while the other direction stays open", async () => {
    const { accepted, dialled } = await connect("plain");
    const received = new Received(accepted);
    const back = new Received(dialled);
    dialled.end("question");
    await once(accepted, "end");
    accepted.end("answer");
    await once(dialled, "end");
    expect([received.bytes.toString(), back.bytes.toString()]).toEqual(["question", "answer"]);
  });

  it("a reset is an error, as usual", async () => {
    const { accepted, dialled } = await connect("plain");
    const received = new Received(accepted);
    dialled.resetAndDestroy();
    await untilClosed(accepted);
    expect(accepted.errored).toMatchObject({ code: "ECONNRESET" });
    expect(received.bytes.length).toBe(0);
  });
});
