import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { TokenBucket } from "../../../model/token-bucket.ts";
import { type Layer, stack } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { errorSpanRate, recordErrors } from "../../../sidecar/telemetry/error-spans.ts";
import { measureAndRescue } from "../../../sidecar/telemetry/measure.ts";
import { createSidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import type { Span } from "../../../sidecar/telemetry/span.ts";
import { type Tracer, traceRequest } from "../../../sidecar/telemetry/trace.ts";
import { IdSource, readTraceContext } from "../../../sidecar/telemetry/trace-context.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const callerSpan = "00f067aa0ba902b7";

/** Without `layers` there is one that begins and continues traces. */
function tracing(ratio: number, layers?: readonly Layer[]) {
  const spans: Span[] = [];
  const clock = new HandClock(1_000);
  const sink = { push: (span: Span) => spans.push(span) };
  const bucket = new TokenBucket(errorSpanRate, clock);
  const errors = { sink, admit: () => bucket.tryTake() };
  const tracer: Tracer = { sampler: { ratio, parentBased: true }, ids: new IdSource(), clock, sink, errors };
  const upstream = new RecordingUpstream();
  const options = { kind: "client", tracer, service: "shop/orders", policyVersion: () => "6f0c1d2e3a4b" } as const;
  const metrics = createSidecarMetrics(new MetricRegistry({ labels: {} }));
  const recordError = recordErrors(options);
  const service = stack(
    [
      ...(layers ?? [traceRequest(options)]),
      measureAndRescue({ metrics, clock, direction: "outbound", service: "shop/orders", recordError }),
    ],
    upstream.service,
  );
  const fail = (exchange = exchangeOf()) => {
    service(exchange, new RecordingCaller());
    upstream.response.abortResponse(new MeshError("connect_failed", "10.0.0.1:80"));
  };
  return { spans, clock, service, upstream, fail };
}

it("records an error of the mesh although its trace is not sampled, below the caller's span", () => {
  const { spans, fail, upstream } = tracing(0);
  fail(exchangeOf({ headers: new HeaderFields(["traceparent", `00-${traceId}-${callerSpan}-00`]) }));
  expect(spans).toEqual([
    expect.objectContaining({
      name: "GET",
      parentSpanId: callerSpan,
      failed: true,
      attributes: expect.objectContaining({
        "error.type": "connect_failed",
        "http.response.status_code": 503,
        "tulle.recorded_for": "error",
        "tulle.service": "shop/orders",
      }) as unknown,
    }),
  ]);
  expect(spans[0]?.context.traceId).toBe(traceId);
  expect(upstream.exchange.headers.get("traceparent")).toBe(`00-${traceId}-${callerSpan}-00`);
});

it("gives the span the id that went on, where the trace began here", () => {
  const { spans, fail, upstream } = tracing(0);
  fail();
  const passedOn = readTraceContext(upstream.exchange.headers);
  expect(spans[0]?.context).toMatchObject({ traceId: passedOn?.traceId, spanId: passedOn?.spanId });
  expect(spans[0]?.parentSpanId).toBeUndefined();
});

it("begins a trace of its own for a request that has none", () => {
  const { spans, fail } = tracing(0, []);
  fail();
  fail(exchangeOf({ headers: new HeaderFields(["traceparent", `00-${traceId}-${callerSpan}-00`]) }));
  expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual([undefined, callerSpan]);
  expect(spans[0]?.context.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(spans[0]?.context.traceId).not.toBe(traceId);
});

it("records nothing twice, no error of the application's own, and no request that its caller gave up", () => {
  const sampled = tracing(1);
  sampled.fail();
  expect(sampled.spans).toHaveLength(1);
  const { spans, service, upstream } = tracing(0);
  service(exchangeOf(), new RecordingCaller());
  upstream.response.head(responseHead(500));
  upstream.response.endResponse();
  service(exchangeOf(), new RecordingCaller()).abortRequest(new MeshError("upstream_closed", "the caller"));
  expect(spans).toEqual([]);
});

it("keeps to its rate", () => {
  const { spans, fail, clock } = tracing(0);
  for (let i = 0; i < 1_000; i++) fail();
  expect(spans).toHaveLength(10);
  clock.advance(3_000);
  for (let i = 0; i < 1_000; i++) fail();
  expect(spans).toHaveLength(13);
});
