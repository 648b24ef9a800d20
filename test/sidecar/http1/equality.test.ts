import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Http1Pool } from "../../../sidecar/http1/pool.ts";
import { serveHttp1 } from "../../../sidecar/http1/server.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { type Listening, listen } from "../../support/sockets.ts";

/** What a client asks for, and how the application is to answer. */
interface Trip {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: readonly string[];
  readonly sized: boolean;
  readonly status: number;
  readonly answerFields: readonly (readonly [string, string])[];
  readonly answer: readonly string[];
  readonly answerSized: boolean;
  readonly trailers: readonly (readonly [string, string])[];
}

const names = fc
  .stringMatching(/^[a-z][a-z0-9_-]{0,12}$/)
  .filter(
    (name) =>
      !/^(connection|host|te|upgrade|expect|date|trailer|keep-alive|content-length|transfer-encoding)$/.test(name),
  )
  .map((name) => `x-${name}`);
const values = fc.stringMatching(/^(?:[!-~\xa0-\xff](?:[ -~\xa0-\xff]{0,40}[!-~\xa0-\xff])?)?$/);
const fieldLists = fc.array(fc.tuple(names, values), { maxLength: 8 });
const bodies = fc.oneof(
  fc.constant([]),
  fc.array(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    { maxLength: 5 },
  ),
  fc.integer({ min: 1, max: 200_000 }).map((length) => ["x".repeat(length)]),
);

const trips: fc.Arbitrary<Trip> = fc.record({
  method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"),
  path: fc.stringMatching(/^\/[!-"$-~]{0,60}$/),
  fields: fieldLists,
  body: bodies,
  sized: fc.boolean(),
  status: fc.constantFrom(200, 201, 204, 206, 301, 304, 400, 404, 418, 500, 503),
  answerFields: fieldLists,
  answer: bodies,
  answerSized: fc.boolean(),
  trailers: fc.array(fc.tuple(names, values), { maxLength: 3 }),
});

/** Headers as received, but for those that belong to one connection. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!/^(connection|keep-alive|transfer-encoding|host)$/.test(name)) kept.push(`${name}: ${rawHeaders[i + 1]}`);
  }
  return kept;
}

async function readAll(message: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  message.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(message, "end");
  return Buffer.concat(chunks).toString("latin1");
}

describe("random exchanges", () => {
  let application: http.Server;
  let proxy: Listening;
  let pool: Http1Pool;
  let trip: Trip | undefined;
  /** What the application saw of the last request. */
  let seen: unknown;

  beforeAll(async () => {
    application = http.createServer((request, response) => {
      void readAll(request).then((body) => {
        // A POST without a body is told to be empty on its way (RFC 9110 §8.6), whether or not its client did.
        const headers = endToEnd(request.rawHeaders).filter((line) => line !== "content-length: 0");
        seen = { method: request.method, url: request.url, headers, body };
        answer(response, trip as Trip);
      });
    });
    application.listen(0, "127.0.0.1");
    await once(application, "listening");
    const { port } = application.address() as net.AddressInfo;
    const timers = new TimerWheel(performance);
    pool = new Http1Pool((onread) => net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, onread }), {
      clock: performance,
      timers,
    });
    proxy = await listen((socket) => serveHttp1(socket, pool.request, { timers }));
  });

  afterAll(async () => {
    await proxy.close();
    pool.close();
    application.closeAllConnections();
    application.close();
  });

  function answer(response: http.ServerResponse, { status, answerFields, answer, answerSized, trailers }: Trip): void {
    response.sendDate = false;
    response.statusCode = status;
    for (const [name, value] of answerFields) response.appendHeader(name, value);
    // node:http would let a 204 carry a length, which RFC 9110 §8.6 forbids.
    if (answerSized && status !== 204) response.setHeader("content-length", answer.join("").length);
    for (const part of answer) response.write(Buffer.from(part, "latin1"));
    if (!answerSized) response.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
    response.end();
  }

  async function travel(
    agent: http.Agent,
    port: number,
    { method, path, fields, body, sized }: Trip,
  ): Promise<unknown> {
    const request = http.request({ host: "127.0.0.1", port, agent, method, path, setDefaultHeaders: false });
    request.setHeader("host", "a.test");
    for (const [name, value] of fields) request.appendHeader(name, value);
    const answered = once(request, "response") as Promise<[http.IncomingMessage]>;
    if (sized) request.setHeader("content-length", body.join("").length);
    else if (body.length > 0) request.setHeader("transfer-encoding", "chunked");
    for (const part of body) request.write(Buffer.from(part, "latin1"));
    request.end();
    const [response] = await answered;
    const text = await readAll(response);
    const { statusCode, rawTrailers } = response;
    return { statusCode, headers: endToEnd(response.rawHeaders), text, trailers: endToEnd(rawTrailers) };
  }

  it("are the same through server and pool as without them, byte for byte", async () => {
    const agent = new http.Agent({ keepAlive: true });
    const { port } = application.address() as net.AddressInfo;
    const property = fc.asyncProperty(trips, async (next) => {
      trip = next;
      const direct = { got: await travel(agent, port, next), seen };
      seen = undefined;
      const through = { got: await travel(agent, proxy.port, next), seen };
      expect(through).toEqual(direct);
    });
    await fc.assert(property, { numRuns: 300 });
    agent.destroy();
  }, 30_000);
});
