import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { framed } from "../../../proto/message-reader.ts";
import { GrpcCall, type GrpcCallOptions } from "../../../sidecar/grpc/call.ts";
import { type GrpcError, grpcCodes } from "../../../sidecar/grpc/status.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { altNames, dns, makeCertificate, makeRoot } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { HandClock } from "../../support/hand-clock.ts";

const root = makeRoot();
const { pem, keyPem } = makeCertificate({ issuer: root, extensions: [altNames(dns("echo"))] });
const wheel = new TimerWheel(performance);
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Stream = ServerDuplexStream<Buffer, Buffer>;

/** grpc-js with one bidirectional method of raw bytes. */
async function grpcServer(serve: (stream: Stream) => void): Promise<number> {
  const same = (bytes: Buffer): Buffer => bytes;
  const server = new Server();
  server.addService(
    {
      Talk: {
        path: "/test.Echo/Talk",
        requestStream: true,
        responseStream: true,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    },
    { Talk: serve },
  );
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(pem), private_key: Buffer.from(keyPem) },
  ]);
  cleanups.push(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

class Talk {
  readonly messages: string[] = [];
  opened = false;
  readonly call: GrpcCall;
  readonly closed: Promise<GrpcError | undefined>;
  #heard: (() => void) | undefined;

  constructor(port: number, options: Partial<GrpcCallOptions> = {}) {
    const over = Promise.withResolvers<GrpcError | undefined>();
    this.closed = over.promise;
    this.call = new GrpcCall(
      {
        address: `127.0.0.1:${port}`,
        serverName: "echo",
        path: "/test.Echo/Talk",
        secureContext: tls.createSecureContext({ ca: root.pem }),
        wrongServer: () => undefined,
        clock: performance,
        wheel,
        maxMessageBytes: 1_000_000,
        ...options,
      },
      {
        opened: () => {
          this.opened = true;
        },
        message: (message) => {
          this.messages.push(message.toString());
          this.#heard?.();
        },
        closed: over.resolve,
      },
    );
    cleanups.push(() => this.call.cancel());
  }

  async heard(count: number): Promise<void> {
    while (this.messages.length < count) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }
}

describe("a call", () => {
  it("sends and receives messages of any size, also those from before the connection, and ends with OK", async () => {
    const port = await grpcServer((stream) => {
      stream.on("data", (message: Buffer) => stream.write(message));
      stream.on("end", () => stream.end());
    });
    const talk = new Talk(port);
    const sent = ["", "a", "b".repeat(300_000)];
    for (const message of sent) talk.call.send(Buffer.from(message));
    await talk.heard(3);
    talk.call.send(Buffer.from("later"));
    await talk.heard(4);
    talk.call.end();
    expect(await talk.closed).toBeUndefined();
    expect(talk.opened).toBe(true);
    expect(talk.messages).toEqual([...sent, "later"]);
  });

  it("is cancelled silently, and the server notices", async () => {
    const cancelled = Promise.withResolvers<void>();
    const port = await grpcServer((stream) => {
      stream.on("cancelled", () => cancelled.resolve());
      stream.write(Buffer.from("hello"));
    });
    const talk = new Talk(port);
    let closed = false;
    void talk.closed.then(() => {
      closed = true;
    });
    await talk.heard(1);
    talk.call.cancel();
    await cancelled.promise;
    expect(closed).toBe(false);
  });
});

describe("the end of a call says why", () => {
  it("if the server accepts no more messages, so that waiting ones don't wait for ever", async () => {
    const port = await grpcServer((stream) => {
      stream.pause();
      stream.write(Buffer.from("hello"));
    });
    const clock = new HandClock();
    const byHand = new TimerWheel(clock, { drive: false });
    const talk = new Talk(port, { clock, wheel: byHand });
    talk.call.send(Buffer.alloc(1_000_000));
    await talk.heard(1);
    let error: GrpcError | undefined;
    void talk.closed.then((closed) => {
      error = closed;
    });
    await eventually(() => {
      clock.advance(60_000);
      byHand.advance();
      return error !== undefined;
    });
    expect(error).toMatchObject({ message: "UNAVAILABLE: the upstream takes no request bytes" });
  });

  it("in the trailers, after messages", async () => {
    const port = await grpcServer((stream) => {
      stream.write(Buffer.from("first"));
      stream.emit("error", { code: status.PERMISSION_DENIED, details: "not you, Zoë", metadata: new Metadata() });
    });
    const talk = new Talk(port);
    expect(await talk.closed).toMatchObject({
      code: grpcCodes.PERMISSION_DENIED,
      message: "PERMISSION_DENIED: not you, Zoë",
    });
    expect(talk.messages).toEqual(["first"]);
  });

  it("in the head if there is nothing else", async () => {
    const talk = new Talk(await grpcServer(() => {}), { path: "/test.Echo/Missing" });
    expect(await talk.closed).toMatchObject({ code: grpcCodes.UNIMPLEMENTED });
    expect(talk.opened).toBe(false);
  });

  it("by its deadline", async () => {
    const talk = new Talk(await grpcServer(() => {}), { timeoutMs: 50 });
    expect(await talk.closed).toMatchObject({ code: grpcCodes.DEADLINE_EXCEEDED });
  });

  it("if nobody listens", async () => {
    expect(await new Talk(1).closed).toMatchObject({ code: grpcCodes.UNAVAILABLE });
  });

  it("if the server is another one, which sees no byte", async () => {
    let asked = 0;
    const port = await grpcServer(() => asked++);
    const talk = new Talk(port, { wrongServer: () => new Error("not who was meant") });
    talk.call.send(Buffer.from("secret"));
    expect(await talk.closed).toMatchObject({ message: "UNAVAILABLE: not who was meant" });
    expect(asked).toBe(0);
  });

  it("if a message is too large", async () => {
    const port = await grpcServer((stream) => stream.write(Buffer.alloc(2_000)));
    expect(await new Talk(port, { maxMessageBytes: 1_000 }).closed).toMatchObject({ code: grpcCodes.INTERNAL });
  });
});

describe("a server that does not speak gRPC", () => {
  async function http2Server(answer: (stream: http2.ServerHttp2Stream) => void): Promise<number> {
    const server = http2.createSecureServer({ cert: pem, key: keyPem });
    server.on("stream", answer);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  it("answers plain HTTP", async () => {
    const port = await http2Server((stream) => {
      stream.respond({ ":status": 404, "content-type": "text/html" });
      stream.end("no");
    });
    expect(await new Talk(port).closed).toMatchObject({
      message: "UNAVAILABLE: no gRPC, but an answer with status 404",
    });
  });

  it("ends in the middle of a message", async () => {
    const port = await http2Server((stream) => {
      stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(framed(Buffer.from("abc")).subarray(0, 6));
    });
    expect(await new Talk(port).closed).toMatchObject({ message: "INTERNAL: the last message was cut short" });
  });

  it("does not speak HTTP/2", async () => {
    const server = tls.createServer({ cert: pem, key: keyPem }, (socket) => socket.on("error", () => {}));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    expect(await new Talk(port).closed).toMatchObject({ message: "UNAVAILABLE: the server does not speak HTTP/2" });
  });
});
