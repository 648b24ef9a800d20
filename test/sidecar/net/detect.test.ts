import { once } from "node:events";
import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type Detected, detect, protocolOf } from "../../../sidecar/net/detect.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { type Listening, listen, untilClosed } from "../../support/sockets.ts";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const greetings: readonly (readonly [what: string, bytes: Buffer, protocol: Detected])[] = [
  ["HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\n"), "http1"],
  ["a method with a dash", Buffer.from("VERSION-CONTROL / HTTP/1.1\r\n"), "http1"],
  ["CONNECT", Buffer.from("CONNECT orders:80 HTTP/1.1\r\n"), "http1"],
  ["HTTP/2", Buffer.from(preface), "http2"],
  ["a version that is neither", Buffer.from("PRI * HTTP/3.0\r\n"), "http1"],
  ["a method of somebody's own", Buffer.from("FROB /a HTTP/1.1\r\n"), "http1"],
  ["a method of somebody's own, and a bare line feed", Buffer.from("FROB /a HTTP/1.1\n"), "http1"],
  ["HTTP/0.9", Buffer.from("GET /\r\n"), "http1"],
  ["the PROXY protocol", Buffer.from("PROXY TCP4 10.0.0.1 10.0.0.2 4000 80\r\nGET / HTTP/1.1\r\n"), "opaque"],
  ["IRC", Buffer.from("NICK tulle\r\nUSER tulle 0 * :Tulle\r\n"), "opaque"],
  ["Redis by hand", Buffer.from("SET a b\r\n"), "opaque"],
  ["a word in capitals without a line's end", Buffer.from(`AUTH ${"a".repeat(8_192)}`), "opaque"],
  ["TLS", Buffer.from([0x16, 3, 1, 2, 0, 1]), "tls"],
  ["what only starts like TLS", Buffer.from([0x16, 0, 0, 0]), "opaque"],
  ["Redis", Buffer.from("*1\r\n$4\r\nPING\r\n"), "opaque"],
  ["PostgreSQL", Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]), "opaque"],
  ["SMTP in lower case", Buffer.from("ehlo orders\r\n"), "opaque"],
  ["a word without an end", Buffer.from("A".repeat(40)), "opaque"],
  ["a leading space", Buffer.from(" GET /"), "opaque"],
  ["a line break", Buffer.from("\r\nGET / HTTP/1.1\r\n"), "opaque"],
];

describe("the first bytes", () => {
  it.each(greetings)("of %s are recognised", (_what, bytes, protocol) => {
    expect(protocolOf(bytes)).toBe(protocol);
  });

  it.each(greetings)("of %s, cut anywhere, are never taken for anything else", (_what, bytes, protocol) => {
    for (let length = 0; length < bytes.length; length++) {
      expect([undefined, protocol]).toContain(protocolOf(bytes.subarray(0, length)));
    }
  });

  it("are waited for until they are conclusive", () => {
    const undecided = ["", "G", "GET", "FROB / HTTP/1.1", "PROXY TCP4", "P", preface.slice(0, -1), "\x16", "\x16\x03"];
    expect(undecided.filter((text) => protocolOf(Buffer.from(text, "latin1")) !== undefined)).toEqual([]);
  });
});

describe("a connection", () => {
  let listening: Listening | undefined;
  const clients: net.Socket[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await listening?.close();
  });

  async function detecting(received = Buffer.alloc(0), patience = { silenceMs: 300, beginningMs: 300 }) {
    const clock = new HandClock();
    const wheel = new TimerWheel(clock, { drive: false });
    const { promise: found, resolve } = Promise.withResolvers<readonly [Detected | "undecided", string]>();
    const times: (Detected | "undecided")[] = [];
    const accepted = Promise.withResolvers<net.Socket>();
    listening = await listen((socket) => {
      detect(
        socket,
        wheel,
        patience,
        (protocol, bytes) => {
          times.push(protocol);
          resolve([protocol, bytes.toString("latin1")]);
        },
        received,
      );
      accepted.resolve(socket);
    });
    const client = net.connect({ host: "127.0.0.1", port: listening.port, allowHalfOpen: true });
    client.on("error", () => {});
    clients.push(client);
    const pass = (ms: number) => {
      clock.advance(ms);
      wheel.advance();
    };
    return { client, found, times, pass, socket: await accepted.promise };
  }

  it("is handed on paused, with every byte that was read, and without a leftover listener", async () => {
    const { client, found, socket, pass, times } = await detecting();
    client.write("GE");
    await once(socket, "data");
    client.write("T / HTTP/1.1\r\n");
    expect(await found).toEqual(["http1", "GET / HTTP/1.1\r\n"]);
    expect(socket.isPaused()).toBe(true);
    expect(socket.listenerCount("data")).toBe(0);
    pass(1_000);
    expect(times).toHaveLength(1);
  });

  it("needs no more bytes than were received before", async () => {
    const { found } = await detecting(Buffer.from("GET / HTTP/1.1\r\n"));
    expect(await found).toEqual(["http1", "GET / HTTP/1.1\r\n"]);
  });

  it("continues from bytes received before", async () => {
    const { client, found } = await detecting(Buffer.from("GE"));
    client.write("T /");
    expect(await found).toEqual(["http1", "GET /"]);
  });

  it("is undecided once the client has been silent for the whole time, and not before", async () => {
    const { found, pass, times } = await detecting();
    pass(299);
    expect(times).toEqual([]);
    pass(20);
    expect(await found).toEqual(["undecided", ""]);
  });

  it("is undecided if the client stops in the middle of a greeting, and opaque if it ends there", async () => {
    const stopped = await detecting(Buffer.alloc(0), { silenceMs: 10_000, beginningMs: 300 });
    stopped.client.write("PRI * HTTP");
    await once(stopped.socket, "data");
    stopped.pass(290);
    expect(stopped.times).toEqual([]);
    stopped.pass(30);
    expect(await stopped.found).toEqual(["undecided", "PRI * HTTP"]);
    await listening?.close();

    const ended = await detecting();
    ended.client.end("PRI");
    expect(await ended.found).toEqual(["opaque", "PRI"]);
  });

  it("has no protocol if it breaks before that", async () => {
    const { client, socket, pass, times } = await detecting();
    client.write("GE");
    await once(socket, "data");
    const closed = untilClosed(socket);
    client.resetAndDestroy();
    await closed;
    pass(1_000);
    expect(times).toEqual([]);
  });
});
