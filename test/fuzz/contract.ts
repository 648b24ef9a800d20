/** The two ends above a codec: they hold it to the rules of `sidecar/net/exchange.ts`, and note what they were told. */

import assert from "node:assert/strict";
import { MeshError } from "../../model/errors.ts";
import type { Exchange, RequestSink, ResponseHead, ResponseSink } from "../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";

/** How an application behaves; which one answers depends on the request alone. */
const behaviours = ["echo", "at-end", "early", "refuses", "large", "slow", "silent"] as const;
type Behaviour = (typeof behaviours)[number];

/** How much of an aborted body was passed on depends on how it was cut. */
const partly = "partly";

/** Takes one request, answers in one of several ways, and keeps an account. */
export class Answerer implements RequestSink {
  readonly exchange: Exchange;
  readonly #response: ResponseSink;
  readonly #behaviour: Behaviour;
  readonly #chunks: Buffer[] = [];
  #request: "open" | "ended" | "aborted" = "open";
  #answered = false;
  #ending: unknown;

  constructor(exchange: Exchange, response: ResponseSink) {
    this.exchange = exchange;
    this.#response = response;
    this.#behaviour = behaviours[(exchange.path.length + exchange.headers.count) % behaviours.length] as Behaviour;
    this.#begin();
  }

  /** All that this request was, but for how its body was cut. */
  get account(): unknown {
    const { method, authority, path, headers, bodyless, upgrade } = this.exchange;
    const body = this.#request === "aborted" ? partly : Buffer.concat(this.#chunks).toString("latin1");
    return { method, authority, path, headers: headers.flat, bodyless, upgrade, body, ending: this.#ending };
  }

  /** Whether somebody has said that the exchange is over, the one side or the other. */
  get isSettled(): boolean {
    return this.#request !== "open" || this.#answered;
  }

  writeRequest(chunk: Buffer): boolean {
    assert.equal(this.#request, "open", "a body behind its end");
    assert.ok(chunk.length > 0 && !this.exchange.bodyless, "a body where none is");
    this.#chunks.push(Buffer.from(chunk));
    if (this.#behaviour === "echo") return this.#response.writeResponse(chunk);
    return this.#behaviour !== "slow";
  }

  endRequest(trailers?: HeaderFields): void {
    assert.equal(this.#request, "open", "a second end");
    this.#request = "ended";
    this.#ending = trailers?.flat ?? "no trailers";
    const length = this.exchange.headers.get("content-length");
    const received = this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (length !== undefined && this.exchange.upgrade === undefined) assert.equal(received, Number(length));
    this.#finish(trailers);
  }

  abortRequest(error: MeshError): void {
    assert.notEqual(this.#request, "aborted", "aborted twice");
    this.#request = "aborted";
    this.#ending = error.code;
  }

  resumeResponse(): void {
    if (this.#behaviour === "large" && this.#request === "ended" && !this.#answered) this.#writeLarge();
  }

  /** What had to wait: the slow take more. */
  resume(): void {
    if (this.#behaviour === "slow" && this.#request === "open") this.#response.resumeRequest();
  }

  #begin(): void {
    const response = this.#response;
    switch (this.#behaviour) {
      case "echo":
        return response.head(head(200));
      case "early":
        response.head({ ...head(200), bodyless: true });
        return this.#end();
      case "refuses":
        this.#answered = true;
        return response.abortResponse(new MeshError("overloaded", "no room"));
      case "at-end":
        return response.informational(head(103));
      case "large":
      case "slow":
      case "silent":
    }
  }

  #finish(trailers: HeaderFields | undefined): void {
    switch (this.#behaviour) {
      case "echo":
        return this.#end(trailers);
      case "at-end":
      case "slow":
        this.#response.head({ ...head(204), bodyless: true });
        return this.#end();
      case "large":
        this.#response.head(head(200));
        return this.#writeLarge();
      case "early":
      case "refuses":
      case "silent":
    }
  }

  #writeLarge(): void {
    this.#answered = true;
    this.#response.writeResponse(large);
    this.#response.endResponse();
  }

  #end(trailers?: HeaderFields): void {
    this.#answered = true;
    this.#response.endResponse(trailers);
  }
}

/** More than a window takes by default. */
const large = Buffer.alloc(70_000, "large");

function head(status: number): ResponseHead {
  return { status, headers: new HeaderFields(["x-answer", String(status)]), bodyless: false };
}

/** Waits for one answer, and keeps an account. */
export class Asker implements ResponseSink {
  readonly #informationals: number[] = [];
  readonly #chunks: Buffer[] = [];
  #head: ResponseHead | undefined;
  #ending: unknown;
  #isAborted = false;

  get account(): unknown {
    const { status, headers, bodyless } = this.#head ?? { status: 0, headers: new HeaderFields(), bodyless: false };
    const body = this.#isAborted ? partly : Buffer.concat(this.#chunks).toString("latin1");
    return {
      informationals: this.#informationals,
      status,
      headers: headers.flat,
      bodyless,
      body,
      ending: this.#ending,
    };
  }

  get received(): ResponseHead | undefined {
    return this.#head;
  }

  get isSettled(): boolean {
    return this.#ending !== undefined;
  }

  informational(received: ResponseHead): void {
    assert.ok(this.#head === undefined && !this.isSettled, "a 1xx behind the head");
    assert.ok(received.status >= 100 && received.status < 200 && received.status !== 101);
    this.#informationals.push(received.status);
  }

  head(received: ResponseHead): void {
    assert.ok(this.#head === undefined && !this.isSettled, "a second head");
    assert.ok(received.status === 101 || (received.status >= 200 && received.status < 600));
    this.#head = received;
  }

  writeResponse(chunk: Buffer): boolean {
    assert.ok(this.#head !== undefined && !this.#head.bodyless && !this.isSettled, "a body where none may be");
    this.#chunks.push(Buffer.from(chunk));
    return true;
  }

  endResponse(trailers?: HeaderFields): void {
    assert.ok(this.#head !== undefined && !this.isSettled, "an end before the head, or a second one");
    this.#ending = trailers?.flat ?? "no trailers";
  }

  abortResponse(error: MeshError): void {
    assert.ok(!this.isSettled, "aborted behind its end");
    this.#ending = error.code;
    this.#isAborted = true;
  }

  resumeRequest(): void {}
}
