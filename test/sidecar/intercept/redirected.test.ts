/** Plaintext where a port takes mutual TLS alone: what a raw socket sees of it. */

import { afterEach, expect, it } from "vitest";
import type { InboundPort, Protocol } from "../../../model/resources.ts";
import { servePlain } from "../../../sidecar/intercept/redirected.ts";
import { SeenClients } from "../../../sidecar/net/detect.ts";
import { Connections } from "../../../sidecar/net/listener.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { type Listening, listen, RawClient } from "../../support/sockets.ts";
import { frame, get as getFields, headers, preface, SETTINGS } from "../http2/raw-peer.ts";

const cleaning: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of cleaning.splice(0).reverse()) await close();
});

/** A port of the application, and what of it may be changed under open connections. */
class Setting {
  readonly clock = new HandClock();
  readonly wheel = new TimerWheel(this.clock, { drive: false });
  mtls: InboundPort["mtls"];
  /** How often plaintext was refused. */
  refused = 0;
  asked = 0;
  readonly #protocol: Protocol;
  #listening: Listening | undefined;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
  }

  static async open(protocol: Protocol, mtls?: "strict"): Promise<Setting> {
    const setting = new Setting(protocol);
    setting.mtls = mtls;
    const connections = new Connections();
    const listening = await listen((socket) => {
      connections.add(socket);
      servePlain(socket, connections, setting.#options());
    });
    setting.#listening = listening;
    cleaning.push(() => listening.close());
    return setting;
  }

  #options(): Parameters<typeof servePlain>[2] {
    const seen = new SeenClients();
    return {
      clock: this.clock,
      wheel: this.wheel,
      onRefused: () => {},
      onPlaintextRefused: () => this.refused++,
      originalDestination: () => ({ host: "10.0.0.1", port: 8_080 }),
      portOf: (port) => ({ port, protocol: this.#protocol, ...(this.mtls && { mtls: this.mtls }) }),
      seen: () => seen,
      service: (exchange, response) => {
        this.asked++;
        const sink = new RecordingUpstream().service(exchange, response);
        response.head({ ...responseHead(204), bodyless: true });
        response.endResponse();
        return sink;
      },
    };
  }

  connect(): RawClient {
    if (this.#listening === undefined) throw new Error("it listens not yet");
    const client = new RawClient(this.#listening.port);
    cleaning.push(() => void client.socket.destroy());
    return client;
  }
}

const get = "GET /a HTTP/1.1\r\nHost: orders\r\n\r\n";
const tlsHello = "\x16\x03\x01\x00\x05hello";
const http2Request = Buffer.concat([preface, frame(SETTINGS, 0, 0), headers(1, getFields)]).toString("latin1");

it.each([
  ["a request", "http1", get],
  ["a request that no codec would take", "http1", "GET\r\n\r\n"],
  ["HTTP/2", "http2", http2Request],
  ["TLS of the caller's own", "detect", tlsHello],
  ["opaque bytes", "opaque", "PING\r\n"],
  ["nothing", "detect", ""],
] as const)("resets a new connection without a byte: %s", async (_name, protocol, text) => {
  const setting = await Setting.open(protocol, "strict");
  const client = setting.connect().send(text);
  expect([await client.closed, client.received]).toEqual(["reset", ""]);
  expect([setting.refused, setting.asked]).toEqual([1, 0]);
});

it.each([
  ["a request", get],
  ["several at once", get + get],
  ["one with a body", "POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 4\r\n\r\nbody"],
  ["one that waits for 100", "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"],
  ["one that the codec refuses", "GET\r\n\r\n"],
])("resets a kept connection at its next request without a byte: %s", async (_name, text) => {
  const setting = await Setting.open("http1");
  const client = setting.connect().send(get);
  const answer = await client.receive("\r\n\r\n");
  setting.mtls = "strict";
  client.send(text);
  expect([await client.closed, client.received]).toEqual(["reset", answer]);
  expect([setting.refused, setting.asked]).toEqual([1, 1]);
});

it("resets a kept connection of HTTP/2 at its next requests", async () => {
  const setting = await Setting.open("http2");
  const client = setting.connect().send(http2Request);
  await client.receive(() => setting.asked === 1 && client.received.includes("\x01\x05\0\0\0\x01"));
  const before = client.received;
  setting.mtls = "strict";
  client.send(Buffer.concat([headers(3, getFields), headers(5, getFields)]).toString("latin1"));
  expect([await client.closed, client.received]).toEqual(["reset", before]);
  expect([setting.refused, setting.asked]).toEqual([1, 1]);
});

it("serves plaintext if the port is not strict", async () => {
  const setting = await Setting.open("http1");
  const client = setting.connect().send(get);
  expect(await client.receive("\r\n\r\n")).toMatch(/^HTTP\/1\.1 204 /);
  expect([setting.refused, setting.asked]).toEqual([0, 1]);
});
