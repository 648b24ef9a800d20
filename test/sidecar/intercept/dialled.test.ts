import { once } from "node:events";
import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Protocol } from "../../../model/resources.ts";
import { serveDialled } from "../../../sidecar/intercept/dialled.ts";
import { SeenClients } from "../../../sidecar/net/detect.ts";
import { Connections } from "../../../sidecar/net/listener.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { type Listening, listen, untilClosed } from "../../support/sockets.ts";
import { frame, get as getFields, headers, preface, SETTINGS } from "../http2/raw-peer.ts";

const cleaning: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of cleaning.splice(0).reverse()) await close();
});

interface Known {
  readonly whenKnown: (call: () => void) => void;
}

/** A connection to a port, and the far side of it as the test plays it. */
class Setting {
  readonly clock = new HandClock();
  readonly wheel = new TimerWheel(this.clock, { drive: false });
  readonly seen = new SeenClients();
  readonly upstreams: RecordingUpstream[] = [];
  readonly accepted: net.Socket[] = [];
  readonly refused: string[] = [];
  /** What the far side does as soon as it is dialled. */
  onUpstream: (upstream: RecordingUpstream) => void = () => {};
  readonly #listening: Listening;

  private constructor(listening: Listening) {
    this.#listening = listening;
  }

  static async open(protocol: Protocol = "detect", known: Partial<Known> = {}): Promise<Setting> {
    const setting: Setting = new Setting(await listen((socket) => setting.#serve(socket, protocol, known)));
    cleaning.push(() => setting.#listening.close());
    return setting;
  }

  #serve(socket: net.Socket, protocol: Protocol, known: Partial<Known>): void {
    const service = (...request: Parameters<RecordingUpstream["service"]>) => {
      const upstream = new RecordingUpstream();
      this.upstreams.push(upstream);
      const sink = upstream.service(...request);
      this.onUpstream(upstream);
      return sink;
    };
    const connections = new Connections();
    connections.add(socket);
    const { clock, wheel, seen } = this;
    const dialled = { service, protocol, seen, ...known };
    serveDialled(socket, connections, dialled, "10.0.0.1:80", {
      clock,
      wheel,
      onRefused: (code) => void this.refused.push(code),
    });
    this.accepted.push(socket);
  }

  async connect(): Promise<net.Socket> {
    const client = net.connect({ host: "127.0.0.1", port: this.#listening.port, allowHalfOpen: true });
    client.on("error", () => {}); // seen by "close"
    cleaning.push(() => void client.destroy());
    const before = this.accepted.length;
    await eventually(() => this.accepted.length > before);
    return client;
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }

  asked(): string[] {
    return this.upstreams.map(({ exchange }) => `${exchange.method} ${exchange.path || exchange.authority}`);
  }

  upstream(index: number): RecordingUpstream {
    const upstream = this.upstreams[index];
    if (upstream === undefined) throw new Error(`nothing was dialled ${index + 1} times`);
    return upstream;
  }
}

const get = "GET /a HTTP/1.1\r\nHost: orders\r\n\r\n";

describe("a silent connection", () => {
  it("is dialled as opaque after 300 ms, and stays a tunnel once the server has spoken", async () => {
    const setting = await Setting.open();
    const client = await setting.connect();
    setting.pass(290);
    expect(setting.asked()).toEqual([]);
    setting.pass(20);
    expect(setting.asked()).toEqual(["CONNECT 10.0.0.1:80"]);
    const { response, calls } = setting.upstream(0);
    response.head(responseHead(200));
    response.writeResponse(Buffer.from("220 ready\r\n"));
    expect(String(await once(client, "data"))).toBe("220 ready\r\n");
    client.write(get);
    await eventually(() => calls.length > 0);
    expect(calls).toEqual([["write", get]]);
    expect([setting.asked().length, setting.seen.speakFirst]).toEqual([1, false]);
    response.endResponse();
    await once(client, "end");
    client.end();
    await eventually(() => calls.length > 1);
    expect(calls[1]).toEqual(["end", []]);
  });

  it("may still become HTTP as long as neither side has sent a byte", async () => {
    const setting = await Setting.open();
    const client = await setting.connect();
    setting.pass(320);
    setting.upstream(0).response.head(responseHead(200));
    client.write("GE");
    await once(setting.accepted[0] as net.Socket, "data");
    setting.pass(290);
    client.write(get.slice(2));
    await eventually(() => setting.upstreams.length === 2);
    expect(setting.asked()).toEqual(["CONNECT 10.0.0.1:80", "GET /a"]);
    expect(setting.upstream(0).calls).toEqual([["abort", "upstream_closed"]]);
    // What the tunnel says now reaches nobody.
    setting.upstream(0).response.abortResponse(new MeshError("connect_failed", "nobody there"));
    setting.upstream(1).response.head({ ...responseHead(204), bodyless: true });
    setting.upstream(1).response.endResponse();
    expect(String(await once(client, "data"))).toMatch(/^HTTP\/1.1 204 /);
  });

  it("continues as opaque with other bytes than HTTP, with TLS, or with an unfinished greeting", async () => {
    const greetings = ["\x01binary", "\x16\x03\x01\x02", "GE"];
    for (const greeting of greetings) {
      const setting = await Setting.open();
      const client = await setting.connect();
      setting.pass(320);
      const { response, calls } = setting.upstream(0);
      response.head(responseHead(200));
      client.write(greeting, "latin1");
      await once(setting.accepted[0] as net.Socket, "data");
      setting.pass(320);
      await eventually(() => calls.length > 0);
      expect(calls).toEqual([["write", greeting]]);
      response.writeResponse(Buffer.from("answer"));
      expect(String(await once(client, "data"))).toBe("answer");
    }
  });

  it("is opaque at once if it had begun to send something, or ends", async () => {
    const setting = await Setting.open();
    (await setting.connect()).write("GE");
    await once(setting.accepted[0] as net.Socket, "data");
    setting.pass(320);
    expect(setting.upstream(0).calls).toEqual([["write", "GE"]]);
    (await setting.connect()).end();
    await eventually(() => setting.upstreams[1]?.calls.length === 1);
    expect(setting.upstream(1).calls).toEqual([["end", []]]);
  });

  it("is closed if the far side refuses it, and releases the far side when the client has gone", async () => {
    const setting = await Setting.open();
    for (const refuse of [
      (upstream: RecordingUpstream) => upstream.response.head(responseHead(403)),
      (upstream: RecordingUpstream) => upstream.response.abortResponse(new MeshError("connect_failed", "nobody there")),
    ]) {
      const client = await setting.connect();
      setting.pass(320);
      const closed = untilClosed(client);
      refuse(setting.upstream(setting.upstreams.length - 1));
      await closed;
    }
    const client = await setting.connect();
    setting.pass(320);
    client.resetAndDestroy();
    await eventually(() => setting.upstream(2).calls.length > 0);
    expect(setting.upstream(2).calls).toEqual([["abort", "upstream_closed"]]);
  });

  it("may still become HTTP, and nothing else, if the far side accepts no tunnels", async () => {
    const setting = await Setting.open();
    setting.onUpstream = ({ response, exchange }) => {
      if (exchange.method !== "CONNECT") return;
      response.head(responseHead(501));
      response.writeResponse(Buffer.from("no tunnels here"));
      response.endResponse();
    };
    const [http, other] = [await setting.connect(), await setting.connect()];
    setting.pass(320);
    expect(setting.asked()).toEqual(["CONNECT 10.0.0.1:80", "CONNECT 10.0.0.1:80"]);
    const closed = untilClosed(other);
    other.write("SSH-2.0-x\r\n");
    await closed;
    http.write(get);
    await eventually(() => setting.upstreams.length === 3);
    expect(setting.asked().at(-1)).toBe("GET /a");
    expect(http.destroyed).toBe(false);
  });

  it("waits up to 10 s for the reason why the far side refuses tunnels, whatever the client does meanwhile", async () => {
    const setting = await Setting.open();
    const clients = [await setting.connect(), await setting.connect()];
    setting.pass(320);
    const [first, second] = [setting.upstream(0), setting.upstream(1)];
    for (const { response } of [first, second]) response.head(responseHead(501));
    clients[0]?.write(get);
    await eventually(() => setting.upstreams.length === 3);
    clients[1]?.resetAndDestroy();
    await eventually(() => setting.accepted.some((socket) => socket.closed));
    expect([first.calls, second.calls]).toEqual([[], []]);
    first.response.endResponse();
    expect(first.calls).toEqual([["abort", "upstream_closed"]]);
    setting.pass(10_100);
    expect(second.calls).toEqual([["abort", "upstream_closed"]]);
  });

  it("accepts what the far side sends while it is being dialled", async () => {
    const setting = await Setting.open();
    setting.onUpstream = ({ response }) => {
      response.head(responseHead(200));
      response.writeResponse(Buffer.from("early"));
    };
    const client = await setting.connect();
    setting.pass(320);
    expect(String(await once(client, "data"))).toBe("early");
    client.write("late");
    await eventually(() => setting.upstream(0).calls.length > 0);
    expect(setting.upstream(0).calls).toEqual([["write", "late"]]);
  });
});

describe("what earlier clients of a port have shown", () => {
  it("is remembered if it is certain, and a silent client is then waited for longer", async () => {
    const setting = await Setting.open();
    (await setting.connect()).write(get);
    await eventually(() => setting.upstreams.length === 1);
    expect(setting.seen.speakFirst).toBe(true);
    const silent = await setting.connect();
    setting.pass(9_980);
    expect(setting.upstreams).toHaveLength(1);
    silent.write(get);
    await eventually(() => setting.upstreams.length === 2);
    await setting.connect();
    setting.pass(10_010);
    expect(setting.asked().slice(1)).toEqual(["GET /a", "CONNECT 10.0.0.1:80"]);
  });

  it("does not include silence or unknown bytes", async () => {
    const setting = await Setting.open();
    await setting.connect();
    setting.pass(320);
    (await setting.connect()).write("\x01binary");
    await eventually(() => setting.upstreams.length === 2);
    expect(setting.seen.speakFirst).toBe(false);
  });
});

describe("a declared protocol", () => {
  it("is served at once if it is opaque", async () => {
    const setting = await Setting.open("opaque");
    await setting.connect();
    await eventually(() => setting.upstreams.length === 1);
    expect(setting.asked()).toEqual(["CONNECT 10.0.0.1:80"]);
  });

  it("of HTTP is never a tunnel, however long the client is silent", async () => {
    const setting = await Setting.open("http1");
    const client = await setting.connect();
    setting.pass(599_000);
    client.write(get);
    await eventually(() => setting.upstreams.length === 1);
    expect(setting.asked()).toEqual(["GET /a"]);
    const idle = await setting.connect();
    const closed = untilClosed(idle);
    setting.pass(600_010);
    idle.end();
    await closed;
  });

  it("is waited for until the control plane answers, or the client has gone", async () => {
    const calls: (() => void)[] = [];
    const setting = await Setting.open("opaque", { whenKnown: (call) => calls.push(call) });
    const gone = await setting.connect();
    await setting.connect();
    expect(setting.asked()).toEqual([]);
    gone.resetAndDestroy();
    await eventually(() => setting.accepted[0]?.destroyed === true);
    for (const call of calls) call();
    expect(setting.asked()).toEqual(["CONNECT 10.0.0.1:80"]);
  });
});

describe("what a codec itself refuses", () => {
  it("is reported for HTTP/1.1 and HTTP/2", async () => {
    const setting = await Setting.open();
    (await setting.connect()).write("GET /a HTTP/1.1\r\n\r\n");
    await eventually(() => setting.refused.length === 1);
    const tooMany = Array.from({ length: 101 }, (_, i) => [`x-${i}`, "1"] as const);
    (await setting.connect()).write(
      Buffer.concat([preface, frame(SETTINGS, 0, 0), headers(1, [...getFields, ...tooMany])]),
    );
    await eventually(() => setting.refused.length === 2);
    expect([setting.refused, setting.asked()]).toEqual([["bad_request", "head_too_large"], []]);
  });
});
