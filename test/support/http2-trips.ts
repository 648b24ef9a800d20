/** The trips of `trips.ts` over `node:http2` on both sides, including request trailers. */

import { once } from "node:events";
import * as http2 from "node:http2";
import type * as net from "node:net";
import { type Trip, valuesByName } from "./trips.ts";

/** A message as received: its fields in order, `name: value`. */
interface Received {
  readonly headers: string[];
  readonly body: string;
  readonly trailers: string[];
}

interface Seen {
  readonly request: Received;
  readonly informational: string[][];
  readonly answer: Received;
}

const tripNumber = "x-trip-number";
const bodylessStatuses = new Set([204, 304]);
const ofCall = { "content-type": "application/grpc+proto", te: "trailers" };

export class Http2TripApplication {
  readonly #server = http2.createServer();
  readonly #sessions: http2.ClientHttp2Session[] = [];
  readonly #trips = new Map<string, Trip>();
  readonly #requests = new Map<string, Received>();
  readonly #ignored: readonly string[];
  #last = 0;

  /** `ignored`: fields that an intermediary may add. */
  constructor(ignored: readonly string[]) {
    this.#ignored = [...ignored, tripNumber, "date"];
    this.#server.on("stream", (stream, headers, _flags, rawHeaders) => {
      const number = String(headers[tripNumber]);
      void this.#receive(stream, rawHeaders).then((request) => {
        this.#requests.set(number, request);
        answerTrip(stream, this.#trips.get(number) as Trip);
      });
    });
  }

  async listen(host: string, port: number): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
  }

  /** Opens a client connection to this application, or to an intermediary in front of it. */
  async connect(host: string, port: number): Promise<http2.ClientHttp2Session> {
    // The trip under way reports any failure.
    const session = http2.connect(`http://${host}:${port}`).on("error", () => {});
    this.#sessions.push(session);
    (await once(session, "connect")) as [http2.Http2Session, net.Socket];
    return session;
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
  }

  /** What both ends saw of a trip. */
  async travel(session: http2.ClientHttp2Session, trip: Trip): Promise<Seen> {
    const number = String(++this.#last);
    this.#trips.set(number, trip);
    const { method, path, fields, body, sized, trailers } = trip;
    const headers = headersOf(fields, {
      ":method": method,
      ":path": path,
      ":authority": "a.test",
      [tripNumber]: number,
      ...(sized ? { "content-length": body.join("").length } : {}),
      ...(trip.grpc ? ofCall : {}),
    });
    const endStream = body.length === 0 && trailers.length === 0;
    const stream = session.request(headers, { endStream, waitForTrailers: trailers.length > 0 });
    const informational: string[][] = [];
    stream.on("headers", (_headers: object, _flags: number, raw: string[]) => informational.push(this.#linesOf(raw)));
    if (!endStream) send(stream, body, trailers);
    const [, , rawHeaders] = (await once(stream, "response")) as [object, number, string[]];
    const answer = await this.#receive(stream, rawHeaders);
    const request = this.#requests.get(number) as Received;
    this.#trips.delete(number);
    this.#requests.delete(number);
    return { request, informational, answer };
  }

  async #receive(stream: http2.Http2Stream, rawHeaders: readonly string[]): Promise<Received> {
    const trailers: string[] = [];
    const chunks: Buffer[] = [];
    stream.on("trailers", (_trailers: object, _flags: number, rawTrailers: string[]) =>
      trailers.push(...this.#linesOf(rawTrailers)),
    );
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(stream, "end");
    return { headers: this.#linesOf(rawHeaders), body: Buffer.concat(chunks).toString("latin1"), trailers };
  }

  #linesOf(raw: readonly string[]): string[] {
    const lines: string[] = [];
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string;
      if (!this.#ignored.includes(name)) lines.push(`${name}: ${raw[i + 1]}`);
    }
    // The pseudo-header fields come first, and their order has no meaning (RFC 9113 §8.3).
    const pseudo = lines.filter((line) => line.startsWith(":"));
    return [...pseudo.sort(), ...lines.slice(pseudo.length)];
  }
}

function answerTrip(stream: http2.ServerHttp2Stream, trip: Trip): void {
  const { method, status, hints, grpc, answerFields, answer, answerSized } = trip;
  for (const fields of hints) stream.additionalHeaders(headersOf(fields, { ":status": 103 }));
  const length = answerSized && status !== 204 ? { "content-length": answer.join("").length } : {};
  const type = grpc ? { "content-type": ofCall["content-type"] } : {};
  const headers = headersOf(answerFields, { ":status": status, ...length, ...type });
  const trailers: Trip["trailers"] = grpc ? [...trip.trailers, ["grpc-status", "7"]] : trip.trailers;
  const bodyless = method === "HEAD" || bodylessStatuses.has(status);
  stream.respond(headers, { endStream: bodyless, waitForTrailers: !bodyless && trailers.length > 0 });
  if (!bodyless) send(stream, answer, trailers);
}

function send(stream: http2.Http2Stream, body: readonly string[], trailers: Trip["trailers"]): void {
  if (trailers.length > 0) stream.on("wantTrailers", () => stream.sendTrailers(headersOf(trailers, {})));
  for (const part of body) stream.write(Buffer.from(part, "latin1"));
  stream.end();
}

function headersOf(fields: Trip["fields"], first: http2.OutgoingHttpHeaders): http2.OutgoingHttpHeaders {
  return { ...first, ...valuesByName(fields) };
}
