import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { type Exchange, type RequestHead, type Service, stack } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import type { Span } from "../../../sidecar/telemetry/span.ts";
import { type Tracer, traceRequest, traceTry } from "../../../sidecar/telemetry/trace.ts";
import { IdSource, readTraceContext } from "../../../sidecar/telemetry/trace-context.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const callerSpan = "00f067aa0ba902b7";

function tracing(ratio: number, kind: Span["kind"] = "client") {
  const spans: Span[] = [];
  const clock = new HandClock(1_000);
  const tracer: Tracer = {
    sampler: { ratio, parentBased: true },
    ids: new IdSource(),
    clock,
    sink: { push: (span) => spans.push(span) },
    errors: undefined,
  };
  const upstream = new RecordingUpstream();
  const request = traceRequest({ kind, tracer, service: "shop/orders", policyVersion });
  const service = stack([request, traceTry(tracer)], upstream.service);
  return { spans, clock, tracer, upstream, request, service };
}

function policyVersion(): string {
  return "6f0c1d2e3a4b";
}

function exchangeWith(traceparent: string, head: Partial<RequestHead> = {}): Exchange {
  return exchangeOf({ headers: new HeaderFields(["traceparent", traceparent]), ...head });
}

function answer(upstream: RecordingUpstream, status: number, headers: Record<string, string> = {}): void {
  upstream.response.head(responseHead(status, headers));
  upstream.response.endResponse();
}

it("begins a trace if there is none, and its context travels even if it is not recorded", () => {
  const { service, upstream, spans } = tracing(0);
  service(exchangeOf(), new RecordingCaller());
  answer(upstream, 200);
  expect(readTraceContext(upstream.exchange.headers)).toMatchObject({ sampled: false });
  expect(spans).toEqual([]);
});

it("forwards an unsampled context untouched, so that the caller's span stays the parent", () => {
  const { service, upstream, spans } = tracing(1);
  const traceparent = `00-${traceId}-${callerSpan}-00`;
  service(exchangeWith(traceparent), new RecordingCaller());
  answer(upstream, 200);
  expect(upstream.exchange.headers.all("traceparent")).toEqual([traceparent]);
  expect(spans).toEqual([]);
});

it("forwards every context untouched if spans would go nowhere, and begins one if there is none", () => {
  const { tracer } = tracing(1);
  const upstream = new RecordingUpstream();
  const nowhere = { ...tracer, sink: undefined };
  const service = traceRequest({ kind: "client", tracer: nowhere, service: "shop/orders", policyVersion })(
    upstream.service,
  );
  const traceparent = `00-${traceId}-${callerSpan}-01`;
  service(exchangeWith(traceparent), new RecordingCaller());
  expect(upstream.exchange.headers.all("traceparent")).toEqual([traceparent]);
  expect(upstream.exchange.span).toBeUndefined();
  service(exchangeOf(), new RecordingCaller());
  expect(readTraceContext(upstream.exchange.headers)).toMatchObject({ sampled: false });
});

it("clears the sampled flag if it does not record a trace that the caller recorded", () => {
  const { tracer } = tracing(0);
  const upstream = new RecordingUpstream();
  const sampler = { ratio: 0, parentBased: false };
  const unmoved = { ...tracer, sampler };
  const service = traceRequest({ kind: "client", tracer: unmoved, service: "shop/orders", policyVersion })(
    upstream.service,
  );
  service(exchangeWith(`00-${traceId}-${callerSpan}-01`), new RecordingCaller());
  expect(readTraceContext(upstream.exchange.headers)).toMatchObject({ traceId, sampled: false });
});

it("continues a sampled context: caller ▸ request ▸ try ▸ forwarded request", () => {
  const { service, upstream, spans, clock } = tracing(0);
  service(exchangeWith(`00-${traceId}-${callerSpan}-01`), new RecordingCaller());
  clock.advance(25);
  answer(upstream, 200);
  const [attempt, request] = spans as [Span, Span];
  expect(request).toMatchObject({
    kind: "client",
    parentSpanId: callerSpan,
    parentRemote: true,
    startMs: 1_000,
    endMs: 1_025,
  });
  expect(attempt).toMatchObject({ kind: "client", parentSpanId: request.context.spanId, parentRemote: false });
  expect(readTraceContext(upstream.exchange.headers)).toEqual({ ...attempt.context });
  expect(attempt.context.traceId).toBe(traceId);
});

it("makes the tries of one request siblings, with their numbers and reasons", () => {
  const { upstream, spans, tracer, request } = tracing(1);
  const tryOnce = traceTry(tracer)(upstream.service);
  const retrying: Service = (exchange, response) => {
    tryOnce(exchange, new RecordingCaller());
    exchange.endpoint = "10.0.0.1:8080";
    upstream.response.abortResponse(new MeshError("connect_failed", "10.0.0.1:8080"));
    exchange.attempt = 2;
    exchange.retryReason = "connect-failure";
    const sink = tryOnce(exchange, response);
    exchange.endpoint = "[fd00::2]:8080";
    return sink;
  };
  request(retrying)(exchangeOf(), new RecordingCaller());
  answer(upstream, 200);
  const [first, second, whole] = spans as [Span, Span, Span];
  expect([first.parentSpanId, second.parentSpanId]).toEqual([whole.context.spanId, whole.context.spanId]);
  expect(whole.parentSpanId).toBeUndefined();
  expect(first).toMatchObject({
    failed: true,
    attributes: { "error.type": "connect_failed", "tulle.attempt": 1, "network.peer.address": "10.0.0.1" },
  });
  expect(second.attributes).toMatchObject({
    "tulle.attempt": 2,
    "tulle.retry_reason": "connect-failure",
    "http.request.resend_count": 1,
    "network.peer.address": "fd00::2",
    "network.peer.port": 8080,
  });
  expect(second.failed).toBe(false);
});

it("describes the request without its query", () => {
  const { service, upstream, spans } = tracing(1, "server");
  const exchange = exchangeOf({ method: "POST", path: "/pay?card=4111", authority: "payments.shop:8080" });
  exchange.peer = "spiffe://demo/ns/shop/sa/orders";
  exchange.route = "TrafficSplit shop/payments";
  exchange.backend = "shop/payments-v2";
  service(exchange, new RecordingCaller());
  answer(upstream, 503, { "tulle-error": "overloaded" });
  const whole = spans.at(-1) as Span;
  expect(whole).toMatchObject({ name: "POST", kind: "server", failed: true });
  expect(whole.attributes).toEqual({
    "error.type": "overloaded",
    "http.request.method": "POST",
    "http.response.status_code": 503,
    "server.address": "payments.shop",
    "server.port": 8080,
    "tulle.backend": "shop/payments-v2",
    "tulle.peer": "spiffe://demo/ns/shop/sa/orders",
    "tulle.policy_version": "6f0c1d2e3a4b",
    "tulle.route": "TrafficSplit shop/payments",
    "tulle.service": "shop/orders",
    "url.path": "/pay",
    "url.scheme": "http",
  });
});

it.each([
  ["http", "payments", "/pay?card=4111", 80, "http://payments/pay"],
  ["https", "payments", "/", 443, "https://payments/"],
  ["http", "[fd00::2]:8080", "/pay", 8080, "http://[fd00::2]:8080/pay"],
  ["http", "payments", "*", 80, undefined],
  ["http", "ann:secret@payments", "/pay", undefined, undefined],
  ["http", "ann@payments", "/pay", undefined, undefined],
] as const)(
  "records where a client's request to %s, %s, %s goes, without query and user",
  (scheme, authority, path, port, url) => {
    const { service, upstream, spans } = tracing(1);
    service(exchangeOf({ scheme, authority, path }), new RecordingCaller());
    answer(upstream, 200);
    const said = spans.map(({ attributes }) => [attributes["server.port"], attributes["url.full"]]);
    expect(said).toEqual([
      [port, url],
      [port, url],
    ]);
  },
);

it("records the state of the endpoint's breaker for each try, and asks for no version if nothing is recorded", () => {
  const { upstream, spans, tracer } = tracing(0);
  let asked = 0;
  const counting = () => String(++asked);
  const layers = [traceRequest({ kind: "client", tracer, service: "shop/orders", policyVersion: counting })];
  const service = stack([...layers, traceTry(tracer)], (exchange, response) => {
    exchange.breakerState = "half-open";
    return upstream.service(exchange, response);
  });
  service(exchangeOf(), new RecordingCaller());
  answer(upstream, 200);
  expect([spans.length, asked]).toEqual([0, 0]);
  service(exchangeWith(`00-${traceId}-${callerSpan}-01`), new RecordingCaller());
  answer(upstream, 200);
  expect(spans.map(({ attributes }) => attributes["tulle.breaker_state"])).toEqual(["half-open", "half-open"]);
  expect(spans.map(({ attributes }) => attributes["tulle.policy_version"])).toEqual([undefined, "1"]);
});

it.each([
  ["client", 404, true],
  ["server", 404, false],
  ["server", 500, true],
  ["client", 302, false],
] as const)("marks a %s span with status %i as failed: %s", (kind, status, failed) => {
  const { upstream, spans, request } = tracing(1, kind);
  request(upstream.service)(exchangeOf(), new RecordingCaller());
  answer(upstream, status);
  expect(spans.map((span) => span.failed)).toEqual([failed]);
});

it("ends the span of a request that its caller gave up, once", () => {
  const { service, upstream, spans } = tracing(1);
  const sink = service(exchangeOf(), new RecordingCaller());
  sink.abortRequest(new MeshError("upstream_closed", "the caller"));
  answer(upstream, 200);
  expect(spans).toHaveLength(2);
  expect(spans.every((span) => span.failed)).toBe(true);
});

it("drops a tracestate without a valid traceparent, and carries one that has it", () => {
  const { service, upstream, spans } = tracing(1);
  service(
    exchangeOf({ headers: new HeaderFields(["traceparent", "nonsense", "tracestate", "a=1"]) }),
    new RecordingCaller(),
  );
  expect(upstream.exchange.headers.has("tracestate")).toBe(false);
  const headers = new HeaderFields(["traceparent", `00-${traceId}-${callerSpan}-01`, "tracestate", "a=1"]);
  service(exchangeOf({ headers }), new RecordingCaller());
  expect(upstream.exchange.headers.get("tracestate")).toBe("a=1");
  answer(upstream, 200);
  expect(spans.at(-1)?.context.tracestate).toBe("a=1");
});

it("limits what a client can put into a span", () => {
  const { service, upstream, spans } = tracing(1);
  const long = "x".repeat(50_000);
  service(exchangeOf({ method: long, path: `/${long}`, authority: `${long}:80` }), new RecordingCaller());
  answer(upstream, 200);
  expect(spans.at(-1)?.name).toBe("HTTP");
  expect(spans.at(-1)?.attributes["http.request.method"]).toBe("_OTHER");
  expect(JSON.stringify(spans.at(-1)).length).toBeLessThan(5_000);
});

const b3 = `${traceId}-${callerSpan}`;

it("continues a trace that came as B3, with W3C's fields added and B3 unchanged", () => {
  const { service, upstream, spans } = tracing(0);
  service(exchangeOf({ headers: new HeaderFields(["b3", `${b3}-1`]) }), new RecordingCaller());
  answer(upstream, 200);
  const [attempt, request] = spans as [Span, Span];
  expect(request).toMatchObject({ parentSpanId: callerSpan, parentRemote: true });
  expect(readTraceContext(upstream.exchange.headers)).toEqual(attempt.context);
  expect(upstream.exchange.headers.all("b3")).toEqual([`${b3}-1`]);
});

it("adds W3C's fields to B3 even if it records nothing, with the caller's span and decision", () => {
  const { service, upstream, spans } = tracing(1);
  service(exchangeOf({ headers: new HeaderFields(["b3", `${b3}-0`]) }), new RecordingCaller());
  expect(upstream.exchange.headers.get("traceparent")).toBe(`00-${traceId}-${callerSpan}-00`);
  expect(spans).toEqual([]);
});

it("decides by itself if B3 leaves it open, and begins no trace if B3 says not to record", () => {
  const { service, upstream, spans } = tracing(1);
  service(exchangeOf({ headers: new HeaderFields(["b3", b3]) }), new RecordingCaller());
  answer(upstream, 200);
  expect(spans).toHaveLength(2);
  service(exchangeOf({ headers: new HeaderFields(["b3", "0"]) }), new RecordingCaller());
  answer(upstream, 200);
  expect(spans).toHaveLength(2);
  expect(readTraceContext(upstream.exchange.headers)).toMatchObject({ sampled: false });
});

it("prefers W3C if both came", () => {
  const { service, upstream } = tracing(1);
  const headers = new HeaderFields(["b3", `${"a".repeat(32)}-${callerSpan}-0`]);
  headers.append("traceparent", `00-${traceId}-${callerSpan}-01`);
  service(exchangeOf({ headers }), new RecordingCaller());
  expect(readTraceContext(upstream.exchange.headers)).toMatchObject({ traceId, sampled: true });
});

function grpcCall(): Exchange {
  return exchangeOf({
    method: "POST",
    path: "/shop.Payments/Charge",
    headers: new HeaderFields(["content-type", "application/grpc+proto"]),
  });
}

it.each([
  ["client", "0", "OK", false],
  ["client", "5", "NOT_FOUND", true],
  ["server", "5", "NOT_FOUND", false],
  ["server", "14", "UNAVAILABLE", true],
] as const)("names a gRPC call by its method, and how it ended (%s, status %s)", (kind, status, name, failed) => {
  const { upstream, spans, request } = tracing(1, kind);
  request(upstream.service)(grpcCall(), new RecordingCaller());
  upstream.response.head(responseHead(200));
  upstream.response.endResponse(new HeaderFields(["grpc-status", status]));
  const [span] = spans as [Span];
  expect(span).toMatchObject({ name: "shop.Payments/Charge", failed });
  expect(span.attributes).toMatchObject({
    "rpc.system.name": "grpc",
    "rpc.method": "shop.Payments/Charge",
    "rpc.response.status_code": name,
  });
  expect(span.attributes["error.type"]).toBe(failed ? name : undefined);
});

it("names a GraphQL operation from the body as it passes", () => {
  const { service, upstream, spans } = tracing(1);
  const headers = new HeaderFields(["content-type", "application/json"]);
  const sink = service(exchangeOf({ method: "POST", path: "/graphql", headers }), new RecordingCaller());
  const body = JSON.stringify({ query: "mutation Pay { pay { id } }" });
  for (const half of [body.slice(0, 20), body.slice(20)]) sink.writeRequest(Buffer.from(half));
  expect(upstream.calls).toEqual([
    ["write", body.slice(0, 20)],
    ["write", body.slice(20)],
  ]);
  sink.endRequest();
  answer(upstream, 200);
  expect(spans.at(-1)?.attributes).toMatchObject({
    "graphql.operation.type": "mutation",
    "graphql.operation.name": "Pay",
  });
});
