/** The two ends of a layer under test: a caller that records what comes back, and an upstream that the test controls. */

import type { MeshError } from "../../model/errors.ts";
import {
  Exchange,
  type RequestHead,
  type RequestSink,
  type ResponseHead,
  type ResponseSink,
} from "../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";

export function exchangeOf(head: Partial<RequestHead> = {}): Exchange {
  return new Exchange({
    method: "GET",
    authority: "orders.shop:80",
    path: "/",
    scheme: "http",
    headers: new HeaderFields(),
    bodyless: true,
    ...head,
  });
}

export function responseHead(status: number, headers: Readonly<Record<string, string>> = {}): ResponseHead {
  return { status, headers: new HeaderFields(Object.entries(headers).flat()), bodyless: false };
}

/** Each call as a word, with its arguments. */
export type Call = readonly [name: string, ...carried: unknown[]];

export class RecordingCaller implements ResponseSink {
  readonly calls: Call[] = [];
  takesMore = true;

  informational(head: ResponseHead): void {
    this.calls.push(["informational", head.status]);
  }
  head(head: ResponseHead): void {
    this.calls.push(["head", head.status]);
  }
  writeResponse(chunk: Buffer): boolean {
    this.calls.push(["write", chunk.toString("latin1")]);
    return this.takesMore;
  }
  endResponse(trailers?: HeaderFields): void {
    this.calls.push(["end", trailers?.flat ?? []]);
  }
  abortResponse(error: MeshError): void {
    this.calls.push(["abort", error.code]);
  }
  resumeRequest(): void {
    this.calls.push(["resume"]);
  }
}

/** A service that accepts each request and waits. `response` and `exchange` belong to the last one. */
export class RecordingUpstream implements RequestSink {
  readonly calls: Call[] = [];
  takesMore = true;
  #exchange: Exchange | undefined;
  #response: ResponseSink | undefined;

  readonly service = (exchange: Exchange, response: ResponseSink): RequestSink => {
    this.#exchange = exchange;
    this.#response = response;
    return this;
  };

  get exchange(): Exchange {
    return present(this.#exchange);
  }
  get response(): ResponseSink {
    return present(this.#response);
  }

  writeRequest(chunk: Buffer): boolean {
    this.calls.push(["write", chunk.toString("latin1")]);
    return this.takesMore;
  }
  endRequest(trailers?: HeaderFields): void {
    this.calls.push(["end", trailers?.flat ?? []]);
  }
  abortRequest(error: MeshError): void {
    this.calls.push(["abort", error.code]);
  }
  resumeResponse(): void {
    this.calls.push(["resume"]);
  }
}

function present<T>(item: T | undefined): T {
  if (item === undefined) throw new Error("no request has come yet");
  return item;
}
