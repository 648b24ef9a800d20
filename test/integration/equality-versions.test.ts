/** Random exchanges whose ends speak different versions of HTTP: each gets what the other has sent, trailers and hints too. */

import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { answerTo } from "../support/answer-to.ts";
import { meshed, nextPodIp, redirectedTo, TestMesh } from "../support/sidecar-pair.ts";
import { asPairs, type Trip, trips, valuesByName } from "../support/trips.ts";

interface Message {
  /** Method and target, or status. */
  readonly line: string;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}

const applicationPort = 8080;
const tripNumber = "x-trip-number";
/** Of a connection, of its framing, and what the mesh adds. */
const notSent =
  /^(?::.*|connection|keep-alive|transfer-encoding|content-length|host|date|te|traceparent|tulle-client-id)$/;

/** Their order is kept for each name (RFC 9110 §5.3), which `sort` keeps too. */
function linesOf(raw: readonly string[]): string[] {
  const lines: [name: string, value: string][] = [];
  for (let i = 0; i < raw.length; i += 2) lines.push([(raw[i] as string).toLowerCase(), raw[i + 1] as string]);
  return asLines(lines.filter(([name]) => !notSent.test(name) && name !== tripNumber));
}

function asLines(fields: Trip["fields"]): string[] {
  return fields.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([name, value]) => `${name}: ${value}`);
}

async function readAll(message: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  message.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(message, "end");
  return Buffer.concat(chunks).toString("latin1");
}

const bytesOf = (parts: readonly string[]): Buffer[] => parts.map((part) => Buffer.from(part, "latin1"));
const hasNoBody = ({ method, status }: Trip): boolean => method === "HEAD" || status === 204 || status === 304;

/** In HTTP/1.1 trailers need a body in chunks, and `node:http` makes none of nothing. */
function requestOf({ method, path, fields, body, sized, requestTrailers }: Trip, inChunks = !sized): Message {
  return {
    line: `${method} ${path}`,
    fields: asLines(fields),
    body: body.join(""),
    trailers: inChunks ? asLines(requestTrailers) : [],
  };
}

function answerOf(trip: Trip, inChunks = !trip.answerSized): Message {
  const { status, answerFields, answer, trailers } = trip;
  const isWhole = !hasNoBody(trip);
  return {
    line: String(status),
    fields: asLines(answerFields),
    body: isWhole ? answer.join("") : "",
    trailers: isWhole && inChunks ? asLines(trailers) : [],
  };
}

/** The trips under way, by their number, and what the application has got of each. */
class Travels {
  readonly #trips = new Map<string, Trip>();
  readonly #requests = new Map<string, Message>();

  begin(trip: Trip): string {
    const number = String(this.#trips.size);
    this.#trips.set(number, trip);
    return number;
  }

  arrived(number: string, request: Message): Trip {
    this.#requests.set(number, request);
    return this.#trips.get(number) as Trip;
  }

  request(number: string): Message | undefined {
    return this.#requests.get(number);
  }
}

async function startHttp1(host: string, travels: Travels): Promise<void> {
  const receive = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const body = await readAll(request);
    const { method, url, rawHeaders, rawTrailers } = request;
    const message = { line: `${method} ${url}`, fields: linesOf(rawHeaders), body, trailers: linesOf(rawTrailers) };
    const trip = travels.arrived(String(request.headers[tripNumber]), message);
    for (const fields of trip.hints) response.writeEarlyHints({ link: "</a>; rel=preload", ...valuesByName(fields) });
    response.sendDate = false;
    response.statusCode = trip.status;
    for (const [name, value] of trip.answerFields) response.appendHeader(name, value);
    if (trip.answerSized && trip.status !== 204) response.setHeader("content-length", trip.answer.join("").length);
    for (const part of bytesOf(trip.answer)) response.write(part);
    if (!trip.answerSized) response.addTrailers(asPairs(trip.trailers));
    response.end();
  };
  const server = http.createServer((request, response) => void receive(request, response));
  server.listen(applicationPort, host);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
}

async function startHttp2(host: string, travels: Travels): Promise<void> {
  const receive = async (stream: http2.ServerHttp2Stream, raw: string[]): Promise<void> => {
    const head = Object.fromEntries(raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] as string]] : [])));
    const trailers: string[] = [];
    stream.on("trailers", (_trailers: object, _flags: number, rawTrailers: string[]) =>
      trailers.push(...linesOf(rawTrailers)),
    );
    const body = await readAll(stream);
    const message = { line: `${head[":method"]} ${head[":path"]}`, fields: linesOf(raw), body, trailers };
    const trip = travels.arrived(String(head[tripNumber]), message);
    for (const fields of trip.hints) stream.additionalHeaders({ ":status": 103, ...valuesByName(fields) });
    const length = trip.answerSized && trip.status !== 204 ? { "content-length": trip.answer.join("").length } : {};
    const endStream = hasNoBody(trip);
    const waitForTrailers = !endStream && trip.trailers.length > 0;
    stream.on("wantTrailers", () => stream.sendTrailers(valuesByName(trip.trailers)));
    stream.respond(
      { ":status": trip.status, ...length, ...valuesByName(trip.answerFields) },
      { endStream, waitForTrailers },
    );
    if (endStream) return;
    for (const part of bytesOf(trip.answer)) stream.write(part);
    stream.end();
  };
  const server = http2.createServer();
  server.on("stream", (stream, _headers, _flags, raw) => void receive(stream, raw));
  server.listen(applicationPort, host);
  onTestFinished(() => void server.close());
  await once(server, "listening");
}

/** The answer, and how many hints came before it. */
interface Told {
  readonly answer: Message;
  readonly hints: number;
}

async function travelByHttp2(session: http2.ClientHttp2Session, number: string, trip: Trip): Promise<Told> {
  const { method, path, fields, body, sized, requestTrailers } = trip;
  const length = sized ? { "content-length": body.join("").length } : {};
  const head = { ":method": method, ":path": path, ":authority": "orders", [tripNumber]: number, ...length };
  const endStream = body.length === 0 && requestTrailers.length === 0;
  const waitForTrailers = requestTrailers.length > 0;
  const stream = session.request({ ...head, ...valuesByName(fields) }, { endStream, waitForTrailers });
  stream.on("wantTrailers", () => stream.sendTrailers(valuesByName(requestTrailers)));
  let hints = 0;
  stream.on("headers", () => hints++);
  const trailers: string[] = [];
  stream.on("trailers", (_trailers: object, _flags: number, raw: string[]) => trailers.push(...linesOf(raw)));
  if (!endStream) {
    for (const part of bytesOf(body)) stream.write(part);
    stream.end();
  }
  const [headers, , raw] = (await once(stream, "response")) as [http2.IncomingHttpHeaders, number, string[]];
  const text = await readAll(stream);
  return { answer: { line: String(headers[":status"]), fields: linesOf(raw), body: text, trailers }, hints };
}

/** By the forward proxy: what is declared as HTTP/2 speaks nothing else at a listener of its own. */
async function travelByHttp1(agent: http.Agent, host: string, number: string, trip: Trip): Promise<Told> {
  const { method, path, fields, body, sized, requestTrailers } = trip;
  const proxied = { host, port: 15_001, path: `http://orders${path}` };
  const request = http.request({ ...proxied, agent, method, setDefaultHeaders: false });
  request.setHeader("host", "orders");
  request.setHeader(tripNumber, number);
  for (const [name, value] of fields) request.appendHeader(name, value);
  if (sized) request.setHeader("content-length", body.join("").length);
  else if (body.length > 0) request.setHeader("transfer-encoding", "chunked");
  let hints = 0;
  request.on("information", () => hints++);
  const answered = answerTo(request);
  for (const part of bytesOf(body)) request.write(part);
  if (!sized && body.length > 0) request.addTrailers(asPairs(requestTrailers));
  request.end();
  const response = await answered;
  const text = await readAll(response);
  const { statusCode, rawHeaders, rawTrailers } = response;
  const answer = { line: String(statusCode), fields: linesOf(rawHeaders), body: text, trailers: linesOf(rawTrailers) };
  return { answer, hints };
}

it("300 random requests over HTTP/2, by two sidecars and in the clear, are the same to an application of HTTP/1.1", async () => {
  await using mesh = await TestMesh.open();
  const [through, podIp] = [nextPodIp(), nextPodIp()];
  await mesh.sidecar("web", { upstreams: [{ host: "orders", port: 80, listenHost: through, listenPort: 9001 }] });
  await mesh.sidecar("orders", { podIp, protocol: "http1", originalDestination: redirectedTo(podIp, applicationPort) });
  mesh.service("orders", [meshed(podIp, "orders")], {}, "http1");
  const travels = new Travels();
  await startHttp1(podIp, travels);
  const sessions = [`${through}:9001`, `${podIp}:15006`].map((address) => http2.connect(`http://${address}`));
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
  });
  const property = fc.asyncProperty(trips, async (trip) => {
    for (const session of sessions) {
      const number = travels.begin(trip);
      const told = await travelByHttp2(session, number, trip);
      expect(travels.request(number)).toEqual(requestOf(trip));
      const inChunks = !trip.answerSized && trip.answer.length > 0;
      expect(told).toEqual({ answer: answerOf(trip, inChunks), hints: trip.hints.length });
    }
  });
  await fc.assert(property, { numRuns: 150, endOnFailure: true });
}, 60_000);

it("150 random requests over HTTP/1.1 are the same to an application of HTTP/2", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const { podIp } = await mesh.sidecar("orders", { protocol: "http2" });
  mesh.service("orders", [meshed(podIp, "orders")], {}, "http2");
  const travels = new Travels();
  await startHttp2(podIp, travels);
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const property = fc.asyncProperty(trips, async (trip) => {
    const number = travels.begin(trip);
    const told = await travelByHttp1(agent, web.podIp, number, trip);
    expect(travels.request(number)).toEqual(requestOf(trip, !trip.sized && trip.body.length > 0));
    expect(told).toEqual({ answer: answerOf(trip), hints: trip.hints.length });
  });
  await fc.assert(property, { numRuns: 150, endOnFailure: true });
}, 60_000);
