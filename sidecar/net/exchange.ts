/**
 * One request and its answer, as codecs and layers pass it along: the contract between all parts of the data path.
 *
 * ```
 *   server codec ── service(exchange, response) ──▶ layer ▸ layer ▸ … ▸ client codec
 *        │  ◀───────────── RequestSink ───────────────  │
 *        └── RequestSink: body, end, abort ──────────▶  │
 *        ◀── ResponseSink: head, body, end, abort ──────┘
 * ```
 *
 * Rules that hold on every seam:
 * 1. `end…` or `abort…` is the last call on a sink, and exactly one of them comes, also where there is no body.
 *    Two exceptions: whoever called `abort…` on one sink is owed nothing more on the other; and `abortRequest` may follow
 *    `endRequest` while the answer is still to come or to end: the caller is gone.
 * 2. A chunk is the receiver's only during the call. Who keeps it copies it (sources read into one buffer).
 * 3. `write…` returning false asks the sender to stop until `resume…` is called. It is a request, not a wall:
 *    what the sender had already received may still come, and must be taken.
 * 4. A service may answer, or abort, before it returns; the caller is ready for that.
 * 5. A layer that swaps an exchange for another (a retry) drops late calls of the former by identity.
 */

import type { BreakerState } from "../../model/circuit-breaker.ts";
import type { MeshError } from "../../model/errors.ts";
import type { AnswerStore } from "../../model/policy.ts";
import type { InboundPort } from "../../model/resources.ts";
import type { Span } from "../telemetry/span.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { HeaderFields } from "./header-fields.ts";

/** The request in whose course an application makes others. */
export interface Origin {
  /** What failed was retried this often, or is not to be, and has been so decided: no hop above is to repeat it. */
  retriedBelow(retries: number): void;
}

/** Of bodies that could still be sent again. */
export interface KeptBodies {
  bytes: number;
}

/** Accepts the body of one request. Method names differ from `ResponseSink`'s, so that one object can be both. */
export interface RequestSink {
  /** False: wait for `ResponseSink.resumeRequest`. */
  writeRequest(chunk: Buffer): boolean;
  endRequest(trailers?: HeaderFields): void;
  /** The caller gave up, or its connection broke. */
  abortRequest(error: MeshError): void;
  /** The caller takes response bytes again. */
  resumeResponse(): void;
}

/** Accepts the answer to one request. */
export interface ResponseSink {
  /** A 1xx other than 101; any number of them, before `head`. */
  informational(head: ResponseHead): void;
  /** The final head, once. 101 answers an upgrade and 2xx a CONNECT: from then on `write…` carries raw bytes both ways. */
  head(head: ResponseHead): void;
  /** False: wait for `RequestSink.resumeResponse`. */
  writeResponse(chunk: Buffer): boolean;
  endResponse(trailers?: HeaderFields): void;
  /** No answer, or no more of it. Before `head` it may still become an answer; after it, the caller's exchange is cut. */
  abortResponse(error: MeshError): void;
  /** The upstream takes request bytes again. */
  resumeRequest(): void;
}

export interface ResponseHead {
  /** 100 to 599. */
  readonly status: number;
  /** End-to-end fields only: codecs remove and make the hop-by-hop ones. */
  readonly headers: HeaderFields;
  /** No body follows, for certain (204, 304, the answer to HEAD, END_STREAM): `endResponse` comes next. */
  readonly bodyless: boolean;
}

/** What the codecs know of a request. */
export interface RequestHead {
  /** As received, case kept. `CONNECT` asks for a tunnel to `authority`. */
  method: string;
  /** Host and port as the application wrote them, or empty (HTTP/1.0 without Host). */
  authority: string;
  /** The target in origin form with its query, original bytes: `/a?b=c`, `*` for `OPTIONS *`, empty for CONNECT. */
  path: string;
  scheme: "http" | "https";
  /** End-to-end fields, without `host`. */
  headers: HeaderFields;
  /** No body follows, for certain. */
  bodyless: boolean;
  /** The protocol asked for by `Upgrade` or an extended CONNECT (RFC 8441): `websocket`. `method` is then GET. */
  upgrade?: string;
}

/** The store of answers at what a request was sent to, and the name of its `Endpoints`. */
export interface KnownBy {
  readonly store: AnswerStore;
  readonly backend: string;
}

/** A request on its way through the stack: its head, and what the layers found out about it. */
export class Exchange implements RequestHead {
  method: string;
  authority: string;
  path: string;
  scheme: "http" | "https";
  headers: HeaderFields;
  bodyless: boolean;
  upgrade?: string;
  /** The SPIFFE id of the calling workload, from its certificate. Inbound only. */
  peer: string | undefined;
  /** The calling application speaks HTTP/2: so the one that answers is spoken to likewise, unless its port says otherwise. */
  overHttp2 = false;
  /** The container port it is meant for. Inbound only. */
  target: InboundPort | undefined;
  /** When the time that the caller gave is over, on the sidecar's clock in ms. */
  deadlineAtMs = Number.POSITIVE_INFINITY;
  /** 1 for the first try. */
  attempt = 1;
  /** Which try of a hop above this request is part of; 1: it is new to all of them. */
  callerAttempt = 1;
  /** The request that the application serves by making this one. Outbound only; undefined: none that could be found. */
  origin: Origin | undefined;
  /** What all requests of the caller's connection keep of their bodies; undefined: it has one request at a time. */
  keptBodies: KeptBodies | undefined;
  /** Why this is not the first try, as it is counted. */
  retryReason: string | undefined;
  /** Endpoints that earlier tries went to: another one is preferred. */
  tried: string[] | undefined;
  /** Who knows the last try by its key, should it come again; undefined: nobody. */
  knownBy: KnownBy | undefined;
  /** The one endpoint that knows what became of an earlier try: no other may be asked. */
  onlyEndpoint: { readonly backend: string; readonly address: string } | undefined;
  /** The caller's connection, where its requests come one after the other; undefined: nothing can be bound to it. */
  client: ClientConnection | undefined;
  /** How long a connection may take to be made, if one is needed. */
  connectTimeoutMs = 1_000;
  /** Names for telemetry, once known. */
  route: string | undefined;
  backend: string | undefined;
  endpoint: string | undefined;
  /** The last try's endpoint is reached over mutual TLS, or not at all; undefined: none was picked. Outbound only. */
  overMutualTls: boolean | undefined;
  /** Of the endpoint's circuit breaker when it let the last try through, or `open` when none did; undefined: none has one. */
  breakerState: BreakerState["kind"] | undefined;
  /** The recorded span of the whole request, the parent of its tries; undefined where the trace is not sampled. */
  span: Span | undefined;
  /** The trace begins with this request: its context names no caller. */
  beginsTrace = false;

  constructor(head: RequestHead) {
    this.method = head.method;
    this.authority = head.authority;
    this.path = head.path;
    this.scheme = head.scheme;
    this.headers = head.headers;
    this.bodyless = head.bodyless;
    if (head.upgrade !== undefined) this.upgrade = head.upgrade;
  }
}

/** Answers requests: a codec's client side, or a layer around another service. */
export type Service = (exchange: Exchange, response: ResponseSink) => RequestSink;

/** Wraps a service. Composed once per route or listener, never per request. */
export type Layer = (next: Service) => Service;

/** Layers in the order in which a request meets them, and what lies below. */
export function stack(layers: readonly Layer[], innermost: Service): Service {
  return layers.reduceRight((next, layer) => layer(next), innermost);
}
