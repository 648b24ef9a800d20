/** Flow between our two ends: backpressure, fairness, drains. */

import { once } from "node:events";
import * as net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { Http2Client } from "../../../sidecar/http2/client.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { exchangeOf, RecordingUpstream } from "../../support/exchange.ts";
import { untilClosed } from "../../support/sockets.ts";
import { Answer, connectPair, echo, options, type Pair, send } from "./peers.ts";

let pair: Pair;
let upstream: RecordingUpstream;

beforeEach(async () => {
  upstream = new RecordingUpstream();
  pair = await connectPair(upstream.service);
});

afterEach(() => pair.close());

const ok = { status: 200, headers: new HeaderFields(), bodyless: false };

describe("backpressure", () => {
  it("stops the writer of a response whose reader stops, and resumes it", async () => {
    const answer = new Answer();
    answer.onChunk = () => false;
    const request = pair.client.request(exchangeOf(), answer);
    request.endRequest();
    await expect.poll(() => upstream.calls.length).toBe(1);
    upstream.response.head(ok);
    let written = 0;
    while (upstream.response.writeResponse(Buffer.alloc(10_000))) written += 10_000;
    expect(written).toBeLessThanOrEqual(65_535);
    await answer.headReceived;
    expect(upstream.calls).not.toContainEqual(["resume"]);
    answer.onChunk = () => true;
    await expect
      .poll(() => {
        request.resumeResponse();
        return upstream.calls;
      })
      .toContainEqual(["resume"]);
    upstream.response.endResponse();
    expect(await answer.ended).toBeUndefined();
    expect(answer.body).toHaveLength(written + 10_000);
  });

  it("does not let a stream that nobody reads stop the others", async () => {
    await pair.close();
    pair = await connectPair((exchange, response) =>
      exchange.path === "/stuck" ? upstream.service(exchange, response) : echo(exchange, response),
    );
    upstream.takesMore = false;
    send(pair.client.request, { path: "/stuck", bodyless: false }, Buffer.alloc(1_000_000));
    const body = Buffer.alloc(5_000_000, "x");
    const answer = send(pair.client.request, { path: "/free", bodyless: false }, body);
    expect(await answer.ended).toBeUndefined();
    expect(answer.body.equals(body)).toBe(true);
    const stuck = upstream.calls.reduce((sum, [name, text]) => sum + (name === "write" ? String(text).length : 0), 0);
    expect(stuck).toBeLessThanOrEqual(65_535);
  });

  it("lets streams that wait for the connection's window take turns", async () => {
    await pair.close();
    pair = await connectPair(echo, { connectionWindowBytes: 65_536, initialWindowBytes: 1_000_000 });
    const finished: string[] = [];
    const bulk = send(pair.client.request, { path: "/bulk", bodyless: false }, Buffer.alloc(20_000_000));
    const small = send(pair.client.request, { path: "/small", bodyless: false }, Buffer.alloc(100_000));
    void bulk.ended.then(() => finished.push("bulk"));
    void small.ended.then(() => finished.push("small"));
    expect(await Promise.all([bulk.ended, small.ended])).toEqual([undefined, undefined]);
    expect(finished).toEqual(["small", "bulk"]);
  });

  it("delivers everything written into a full connection, and then asks for more", async () => {
    await pair.close();
    pair = await connectPair(echo, { initialWindowBytes: 1_000_000 });
    const chunk = Buffer.alloc(64_000); // the writer's own again after each call
    const bodies = Array.from({ length: 16 }, (_, i) => String.fromCharCode(0x61 + i));
    const answers = bodies.map(() => new Answer());
    const resumed = new Set<Answer>();
    for (const answer of answers) answer.onResumeRequest = () => resumed.add(answer);
    const requests = answers.map((answer) => pair.client.request(exchangeOf({ bodyless: false }), answer));
    const goOn = requests.map((request, i) => request.writeRequest(chunk.fill(bodies[i] as string)));
    expect([goOn[0], goOn.at(-1)]).toEqual([true, false]);
    await expect.poll(() => answers.map((answer) => !resumed.has(answer))).toEqual(goOn);
    for (const request of requests) request.endRequest();
    for (const [i, answer] of answers.entries()) {
      expect(await answer.ended).toBeUndefined();
      expect(answer.body.equals(Buffer.alloc(64_000, bodies[i]))).toBe(true);
    }
  });
});

describe("the end of a stream", () => {
  it("reaches the upstream when the caller gives up, and frees both ends", async () => {
    const answer = new Answer();
    const request = pair.client.request(exchangeOf({ bodyless: false }), answer);
    await expect.poll(() => pair.server.activeStreams).toBe(1);
    request.abortRequest(new MeshError("deadline_exceeded", "test"));
    await expect.poll(() => upstream.calls).toEqual([["abort", "upstream_reset"]]);
    expect([pair.client.activeStreams, pair.server.activeStreams]).toEqual([0, 0]);
  });

  it.each([
    ["unprocessed", "refused_stream"],
    ["maybe", "upstream_reset"],
  ] as const)("tells whether a failed upstream request was %s", async (processed, code) => {
    const answer = send(pair.client.request);
    await expect.poll(() => upstream.calls.length).toBe(1);
    upstream.response.abortResponse(new MeshError("connect_failed", "test", { processed }));
    expect(await answer.ended).toMatchObject({ code, processed });
  });

  it("cuts a response that breaks off", async () => {
    const answer = send(pair.client.request);
    await expect.poll(() => upstream.calls.length).toBe(1);
    upstream.response.head(ok);
    upstream.response.writeResponse(Buffer.from("begun"));
    upstream.response.abortResponse(new MeshError("upstream_closed", "test", { processed: "unprocessed" }));
    expect(await answer.ended).toMatchObject({ code: "upstream_reset", processed: "maybe" });
    expect(answer.body.toString()).toBe("begun");
  });

  it("comes for each direction of a tunnel separately", async () => {
    const answer = new Answer();
    const request = pair.client.request(exchangeOf({ method: "CONNECT", path: "", bodyless: false }), answer);
    await expect.poll(() => pair.server.activeStreams).toBe(1);
    upstream.response.head(ok);
    upstream.response.writeResponse(Buffer.from("server speaks first"));
    upstream.response.endResponse();
    expect(await answer.ended).toBeUndefined();
    request.writeRequest(Buffer.from("late"));
    request.endRequest();
    await expect
      .poll(() => upstream.calls)
      .toEqual([
        ["write", "late"],
        ["end", []],
      ]);
    expect([pair.client.activeStreams, pair.server.activeStreams]).toEqual([0, 0]);
  });
});

describe("a socket that is handed over too late", () => {
  it("closes the connection at once", async () => {
    const socket = net.connect(pair.listening.port, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
    await untilClosed(socket);
    const closed = Promise.withResolvers<Error | undefined>();
    const late = new Http2Client(socket, options);
    late.onClosed = closed.resolve;
    const answer = send(late.request);
    expect(await closed.promise).toBeUndefined();
    expect(await answer.ended).toMatchObject({ code: "upstream_closed", processed: "unprocessed" });
    expect(late.state).toBe("closed");
  });
});

describe("a drain", () => {
  it("by the server is announced to the client, refuses nothing that was on its way, and ends with the last stream", async () => {
    const goaways: string[] = [];
    pair.client.onGoaway = (reason) => goaways.push(reason);
    const running = send(pair.client.request);
    await expect.poll(() => upstream.calls.length).toBe(1);
    pair.server.drain();
    const onItsWay = send(pair.client.request, { path: "/late" });
    await expect.poll(() => goaways).toEqual(["GOAWAY NO_ERROR"]);
    expect(pair.client.canOpenStream).toBe(false);
    await expect.poll(() => pair.server.activeStreams).toBe(2);
    upstream.response.head({ ...ok, bodyless: true });
    upstream.response.endResponse();
    expect(await onItsWay.ended).toBeUndefined();
    expect(pair.server.state).not.toBe("closed");
    pair.server.destroy();
    expect(await running.ended).toMatchObject({ code: "upstream_closed" });
  });

  it("by the client ends with its last stream, without an error", async () => {
    const answer = send(pair.client.request);
    await expect.poll(() => upstream.calls.length).toBe(1);
    const closed = Promise.withResolvers<Error | undefined>();
    pair.client.onClosed = closed.resolve;
    pair.client.drain();
    expect([pair.client.state, pair.client.canOpenStream]).toEqual(["draining", false]);
    upstream.response.head({ ...ok, bodyless: true });
    upstream.response.endResponse();
    expect(await answer.ended).toBeUndefined();
    expect(await closed.promise).toBeUndefined();
    await expect.poll(() => pair.listening.connections.size).toBe(0);
  });

  it("of an idle connection closes both sockets", async () => {
    const closed = Promise.withResolvers<Error | undefined>();
    pair.client.onClosed = closed.resolve;
    pair.server.drain();
    for (const socket of pair.listening.connections) await untilClosed(socket);
    pair.client.destroy();
    await closed.promise;
    expect(pair.client.state).toBe("closed");
  });
});
