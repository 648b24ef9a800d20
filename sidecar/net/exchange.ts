/**
 * One request and its response, as codecs and layers pass them along: the contract between all parts of the data path.
 *
 * ```
 *   server codec ── service(exchange, response) ──▶ layer ▸ layer ▸ … ▸ client codec
 *        │  ◀───────────── RequestSink ───────────────  │
 *        └── RequestSink: body, end, abort ──────────▶  │
 *        ◀── ResponseSink: head, body, end, abort ──────┘
 * ```
 *
 * Rules at every boundary between two parts:
 * 1. Each sink gets exactly one final call, `end…` or `abort…`, even if there is no body. Two exceptions: whoever called
 *    `abort…` on one sink is owed nothing more on the other; and `abortRequest` may follow `endRequest` while the response
 *    is still pending or incomplete: the caller is gone.
 * 2. A chunk belongs to the receiver only during the call. To keep it, copy it (sources read into one shared buffer).
 * 3. If `write…` returns false, the sender should stop until `resume…` is called. That is a request, not a guarantee:
 *    what the sender had already received may still come, and must be accepted.
 * 4. A service may answer, or abort, before it returns; its caller must be prepared for that.
 * 5. A layer that replaces an exchange by another (a retry) recognises late calls from the former one by identity, and
 *    drops them.
 */

import type { BreakerState } from "../../model/circuit-breaker.ts";
import type { MeshError } from "../../model/errors.ts";
import type { AnswerStore } from "../../model/policy.ts";
import type { InboundPort } from "../../model/resources.ts";
import type { Span } from "../telemetry/span.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { HeaderFields } from "./header-fields.ts";

/** The request that an application was serving when it made other requests. */
export interface Origin {
  /** A failed request was retried this many times below, or must not be retried: no hop above may retry it. */
  retriedBelow(retries: number): void;
}

/** Bytes of request bodies kept so that they could be sent again. */
export interface KeptBodies {
  bytes: number;
}

/** Accepts the body of one request. Its method names differ from `ResponseSink`'s, so that one object can be both. */
export interface RequestSink {
  /** False: wait for `ResponseSink.resumeRequest`. */
  writeRequest(chunk: Buffer): boolean;
  endRequest(trailers?: HeaderFields): void;
  /** The caller gave up, or its connection broke. */
  abortRequest(error: MeshError): void;
  /** The caller accepts response bytes again. */
  resumeResponse(): void;
}

/** Accepts the response to one request. */
export interface ResponseSink {
  /** A 1xx other than 101; any number of them, before `head`. */
  informational(head: ResponseHead): void;
  /** The final head, once. 101 accepts an upgrade, 2xx a CONNECT: from then on `write…` carries raw bytes both ways. */
  head(head: ResponseHead): void;
  /** False: wait for `RequestSink.resumeResponse`. */
  writeResponse(chunk: Buffer): boolean;
  endResponse(trailers?: HeaderFields): void;
  /** No response, or no more of it. Before `head` it may still become a response; after it, the caller's exchange is cut. */
  abortResponse(error: MeshError): void;
  /** The upstream accepts request bytes again. */
  resumeRequest(): void;
}

export interface ResponseHead {
  /** 100 to 599. */
  readonly status: number;
  /** End-to-end fields only: codecs remove and make the hop-by-hop ones. */
  readonly headers: HeaderFields;
  /** Certainly no body follows (204, 304, a response to HEAD, END_STREAM): `endResponse` comes next. */
  readonly bodyless: boolean;
}

/** What the codecs know of a request. */
export interface RequestHead {
  /** As received, in its original case. `CONNECT` asks for a tunnel to `authority`. */
  method: string;
  /** Host and port as the application wrote them, or empty (HTTP/1.0 without Host). */
  authority: string;
  /** The target in origin form with its query, in its original bytes: `/a?b=c`, `*` for `OPTIONS *`, empty for CONNECT. */
  path: string;
  scheme: "http" | "https";
  /** End-to-end fields, without `host`. */
  headers: HeaderFields;
  /** Certainly no body follows. */
  bodyless: boolean;
  /** The protocol asked for by `Upgrade` or an extended CONNECT (RFC 8441): `websocket`. `method` is then GET. */
  upgrade?: string;
}

/** Where a keyed request was sent: how that backend stores answers, and the name of its `Endpoints`. */
export interface KnownBy {
  readonly store: AnswerStore;
  readonly backend: string;
}

/** A request on its way through the stack: its head, and what the layers have found out about it. */
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
  /** The calling application speaks HTTP/2, so the called one is addressed in HTTP/2 too, unless its port says otherwise. */
  overHttp2 = false;
  /** The container port it is meant for. Inbound only. */
  target: InboundPort | undefined;
  /** The caller's deadline, in ms on the sidecar's clock. */
  deadlineAtMs = Number.POSITIVE_INFINITY;
  /** 1 for the first try. */
  attempt = 1;
  /** The number of the try, at the hop above, that this request is part of; 1: it is no hop's retry. */
  callerAttempt = 1;
  /** The request that the application is serving by making this one. Outbound only; undefined: none was found. */
  origin: Origin | undefined;
  /** Shared by all requests of the caller's connection; undefined: the connection has one request at a time. */
  keptBodies: KeptBodies | undefined;
  /** Why this is a retry, as counted in metrics. */
  retryReason: string | undefined;
  /** Endpoints that earlier tries were sent to: others are preferred. */
  tried: string[] | undefined;
  /** Where the last try, if repeated, would be recognised by its key; undefined: nowhere. */
  knownBy: KnownBy | undefined;
  /** The only endpoint that knows what became of an earlier try: no other may be used. */
  onlyEndpoint: { readonly backend: string; readonly address: string } | undefined;
  /** The caller's connection, if it carries one request at a time; undefined: nothing can be bound to it. */
  client: ClientConnection | undefined;
  /** How long it may take to open a connection, if one is needed. */
  connectTimeoutMs = 1_000;
  /** Names for telemetry, once known. */
  route: string | undefined;
  backend: string | undefined;
  endpoint: string | undefined;
  /** Whether the last try's endpoint is reached over mutual TLS; undefined: none was picked. Outbound only. */
  overMutualTls: boolean | undefined;
  /** The circuit breaker's state when it admitted the last try, or `open` if none did; undefined: there is no breaker. */
  breakerState: BreakerState["kind"] | undefined;
  /** The span of the whole request, the parent of its tries; undefined: the trace is not sampled. */
  span: Span | undefined;
  /** The trace begins with this request: its context names no parent. */
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

/** Composes layers, in the order in which a request passes them, around the innermost service. */
export function stack(layers: readonly Layer[], innermost: Service): Service {
  return layers.reduceRight((next, layer) => layer(next), innermost);
}
