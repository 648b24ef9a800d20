/** What the tests of HTTP/2 talk to: services that answer, callers that collect, and both ends on a real socket. */

import { once } from "node:events";
import * as net from "node:net";
import type { MeshError } from "../../../model/errors.ts";
import { Http2Client } from "../../../sidecar/http2/client.ts";
import type { Http2Options } from "../../../sidecar/http2/options.ts";
import { type Http2ServerConnection, serveHttp2 } from "../../../sidecar/http2/server.ts";
import type {
  Exchange,
  RequestHead,
  RequestSink,
  ResponseHead,
  ResponseSink,
  Service,
} from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { exchangeOf } from "../../support/exchange.ts";
import { type Listening, listen } from "../../support/sockets.ts";

export const options: Http2Options = { clock: performance, timers: new TimerWheel(performance) };

/** Sends the body back, with the request's path and trailers. */
export function echo(exchange: Exchange, response: ResponseSink): RequestSink {
  const headers = new HeaderFields(["x-path", exchange.path, "x-method", exchange.method]);
  response.head({ status: 200, headers, bodyless: exchange.bodyless });
  return {
    writeRequest: (chunk) => response.writeResponse(chunk),
    endRequest: (trailers) => response.endResponse(trailers),
    abortRequest: () => {},
    resumeResponse: () => response.resumeRequest(),
  };
}

/** Both ends on one loopback socket. */
export interface Pair {
  readonly client: Http2Client;
  readonly server: Http2ServerConnection;
  readonly listening: Listening;
  close(): Promise<void>;
}

export async function connectPair(service: Service, more: Partial<Http2Options> = {}): Promise<Pair> {
  const accepted = Promise.withResolvers<Http2ServerConnection>();
  const listening = await listen((socket) => accepted.resolve(serveHttp2(socket, service, { ...options, ...more })));
  const socket = net.connect(listening.port, "127.0.0.1");
  await once(socket, "connect");
  const client = new Http2Client(socket, { ...options, ...more });
  const server = await accepted.promise;
  return {
    client,
    server,
    listening,
    close: async () => {
      client.destroy();
      await listening.close();
    },
  };
}

/** A caller that collects one answer. */
export class Answer implements ResponseSink {
  readonly informationals: number[] = [];
  status = 0;
  headers = new HeaderFields();
  isBodyless = false;
  body = Buffer.alloc(0);
  trailers: HeaderFields | undefined;
  /** Settles with the end: undefined, or why it was aborted. */
  readonly ended: Promise<MeshError | undefined>;
  readonly headReceived: Promise<void>;
  onResumeRequest: () => void = () => {};
  onChunk: (chunk: Buffer) => boolean = () => true;
  readonly #settle: (error: MeshError | undefined) => void;
  readonly #settleHead: () => void;
  readonly #chunks: Buffer[] = [];

  constructor() {
    const { promise, resolve } = Promise.withResolvers<MeshError | undefined>();
    this.ended = promise;
    this.#settle = resolve;
    const head = Promise.withResolvers<void>();
    this.headReceived = head.promise;
    this.#settleHead = head.resolve;
  }

  informational(head: ResponseHead): void {
    this.informationals.push(head.status);
  }
  head(head: ResponseHead): void {
    this.status = head.status;
    this.headers = head.headers;
    this.isBodyless = head.bodyless;
    this.#settleHead();
  }
  writeResponse(chunk: Buffer): boolean {
    this.#chunks.push(Buffer.from(chunk));
    return this.onChunk(chunk);
  }
  endResponse(trailers?: HeaderFields): void {
    this.trailers = trailers;
    this.body = Buffer.concat(this.#chunks);
    this.#settle(undefined);
  }
  abortResponse(error: MeshError): void {
    this.body = Buffer.concat(this.#chunks);
    this.#settle(error);
  }
  resumeRequest(): void {
    this.onResumeRequest();
  }
}

/** Sends a request with a whole body, as fast as the service takes it. */
export function send(
  service: Service,
  head: Partial<RequestHead> = {},
  body: Buffer = Buffer.alloc(0),
  trailers?: HeaderFields,
): Answer {
  const answer = new Answer();
  const bodyless = body.length === 0 && trailers === undefined;
  const sink = service(exchangeOf({ bodyless, ...head }), answer);
  let at = 0;
  const pump = (): void => {
    while (at < body.length) {
      const from = at;
      at += 16_000;
      if (!sink.writeRequest(body.subarray(from, at)) && at < body.length) return;
    }
    answer.onResumeRequest = () => {};
    sink.endRequest(trailers);
  };
  answer.onResumeRequest = pump;
  pump();
  return answer;
}
