/** Random exchanges, and the two ends that perform them: the same trip with and without an intermediary must be equal. */

import { once } from "node:events";
import * as http from "node:http";
import type * as net from "node:net";
import * as fc from "fast-check";
import { answerTo } from "./answer-to.ts";

type Fields = readonly (readonly [name: string, value: string])[];

/** What a client requests, and how the application should answer. Texts are latin1. */
export interface Trip {
  readonly method: string;
  readonly path: string;
  readonly fields: Fields;
  readonly body: readonly string[];
  /** Sent with `content-length`; otherwise chunked. */
  readonly sized: boolean;
  /** The body waits for 100 (Continue). HTTP/1.1 only. */
  readonly expects: boolean;
  /** The target also names the host, as for a proxy (RFC 9112 §3.2.2). HTTP/1.1 only. */
  readonly absolute: boolean;
  /** Sent after a chunked body. */
  readonly requestTrailers: Fields;
  /** Interim responses, sent before the answer. */
  readonly hints: readonly Fields[];
  /** Looks like a gRPC call. HTTP/2 only. */
  readonly grpc: boolean;
  readonly status: number;
  readonly answerFields: Fields;
  readonly answer: readonly string[];
  readonly answerSized: boolean;
  readonly trailers: Fields;
}

/** What the two ends saw of a trip. */
export interface Seen {
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: string[];
    readonly body: string;
    readonly trailers: string[];
  };
  /** Statuses and fields of 1xx responses. */
  readonly informational: string[][];
  readonly answer: {
    readonly status: number;
    readonly headers: string[];
    readonly body: string;
    readonly trailers: string[];
  };
}

const names = fc.stringMatching(/^[a-z][a-z0-9_-]{0,12}$/).map((name) => `x-${name}`);
const values = fc.stringMatching(/^(?:[!-~\xa0-\xff](?:[ -~\xa0-\xff]{0,40}[!-~\xa0-\xff])?)?$/);
const fieldLists = fc.array(fc.tuple(names, values), { maxLength: 8 });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((octets) => Buffer.from(octets).toString("latin1"));
const bodies = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  { weight: 5, arbitrary: fc.array(bytes, { maxLength: 5 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 200_000 }).map((length) => ["x".repeat(length)]) },
);

export const trips: fc.Arbitrary<Trip> = fc.record({
  method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"),
  path: fc.stringMatching(/^\/[!-"$-~]{0,60}$/),
  fields: fieldLists,
  body: bodies,
  sized: fc.boolean(),
  expects: fc.boolean(),
  absolute: fc.boolean(),
  requestTrailers: fc.array(fc.tuple(names, values), { maxLength: 3 }),
  hints: fc.array(fieldLists, { maxLength: 2 }),
  grpc: fc.boolean(),
  status: fc.constantFrom(200, 201, 204, 206, 301, 304, 400, 404, 418, 500, 503),
  answerFields: fieldLists,
  answer: bodies,
  answerSized: fc.boolean(),
  trailers: fc.array(fc.tuple(names, values), { maxLength: 3 }),
});

const tripNumber = "x-trip-number";
const authority = "a.test";
const origin = `http://${authority}`;

/** `node:http` on both sides. Trips may run concurrently: each carries its number. */
export class TripApplication {
  readonly server: http.Server;
  readonly #trips = new Map<string, Trip>();
  readonly #requests = new Map<string, Seen["request"]>();
  #last = 0;

  /** `ignored`: fields that an intermediary may add. */
  constructor(ignored: readonly string[] = []) {
    const answer: http.RequestListener = (request, response) => {
      const number = String(request.headers[tripNumber]);
      void readAll(request).then((body) => {
        const headers = endToEnd(request.rawHeaders).filter(
          // An intermediary marks a POST without a body as empty (RFC 9110 §8.6), whether or not the client did.
          (line) => line !== "content-length: 0" && !ignored.some((name) => line.startsWith(`${name}:`)),
        );
        const { method = "", url = "" } = request;
        const trailers = endToEnd(request.rawTrailers);
        // A request in absolute form may be forwarded in origin form (RFC 9112 §3.2.2).
        this.#requests.set(number, { method, url: url.replace(origin, ""), headers, body, trailers });
        answerTrip(response, this.#trips.get(number) as Trip);
      });
    };
    this.server = http.createServer(answer);
    this.server.on("checkContinue", (request: http.IncomingMessage, response: http.ServerResponse) => {
      response.writeContinue();
      answer(request, response);
    });
  }

  async listen(host: string, port: number): Promise<number> {
    this.server.listen(port, host);
    await once(this.server, "listening");
    return (this.server.address() as net.AddressInfo).port;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** Makes a trip to this application through `host:port`. */
  async travel(agent: http.Agent, host: string, port: number, trip: Trip): Promise<Seen> {
    const number = String(++this.#last);
    this.#trips.set(number, trip);
    const { informational, answer } = await makeTrip(agent, host, port, trip, number);
    const request = this.#requests.get(number) as Seen["request"];
    this.#trips.delete(number);
    this.#requests.delete(number);
    const numbered = (line: string) => !line.startsWith(tripNumber);
    return { request: { ...request, headers: request.headers.filter(numbered) }, informational, answer };
  }
}

async function makeTrip(
  agent: http.Agent,
  host: string,
  port: number,
  trip: Trip,
  number: string,
): Promise<Pick<Seen, "informational" | "answer">> {
  const { method, fields, body, sized } = trip;
  const path = trip.absolute ? origin + trip.path : trip.path;
  const request = http.request({ host, port, agent, method, path, setDefaultHeaders: false });
  request.setHeader("host", authority);
  request.setHeader(tripNumber, number);
  for (const [name, value] of fields) request.appendHeader(name, value);
  const answered = answerTo(request);
  const informational: string[][] = [];
  request.on("information", ({ statusCode, rawHeaders }) => {
    informational.push([String(statusCode), ...endToEnd(rawHeaders)]);
  });
  if (sized) request.setHeader("content-length", body.join("").length);
  else if (body.length > 0) request.setHeader("transfer-encoding", "chunked");
  if (body.length > 0 && trip.expects) {
    request.setHeader("expect", "100-continue");
    request.flushHeaders();
    await once(request, "continue");
  }
  for (const part of body) request.write(Buffer.from(part, "latin1"));
  if (!sized && body.length > 0) request.addTrailers(asPairs(trip.requestTrailers));
  request.end();
  const response = await answered;
  const text = await readAll(response);
  const { statusCode = 0, rawTrailers } = response;
  const headers = endToEnd(response.rawHeaders);
  return { informational, answer: { status: statusCode, headers, body: text, trailers: endToEnd(rawTrailers) } };
}

function answerTrip(response: http.ServerResponse, trip: Trip): void {
  const { status, hints, answerFields, answer, answerSized, trailers } = trip;
  for (const fields of hints) response.writeEarlyHints({ link: "</a.css>; rel=preload", ...valuesByName(fields) });
  response.sendDate = false;
  response.statusCode = status;
  for (const [name, value] of answerFields) response.appendHeader(name, value);
  // node:http would allow a length on a 204, which RFC 9110 §8.6 forbids.
  if (answerSized && status !== 204) response.setHeader("content-length", answer.join("").length);
  for (const part of answer) response.write(Buffer.from(part, "latin1"));
  if (!answerSized) response.addTrailers(asPairs(trailers));
  response.end();
}

/** Trailers in the form that Node accepts. */
export function asPairs(fields: Fields): [name: string, value: string][] {
  return fields.map(([name, value]) => [name, value]);
}

/** Several values of one name, in the form that Node accepts. */
export function valuesByName(fields: Fields): Record<string, string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of fields) values.set(name, [...(values.get(name) ?? []), value]);
  return Object.fromEntries(values);
}

/** The fields as received, except those that belong to a single connection. */
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
