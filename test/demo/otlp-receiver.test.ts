import { type Context, context, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, expect, it } from "vitest";
import { OtlpReceiver } from "../../deploy/demo/tour/otlp-receiver.ts";

const receivers: OtlpReceiver[] = [];

afterEach(() => {
  for (const receiver of receivers.splice(0)) receiver.close();
});

async function listen(env: NodeJS.ProcessEnv): Promise<OtlpReceiver> {
  const receiver = await OtlpReceiver.listen(env);
  receivers.push(receiver);
  return receiver;
}

/** Two spans, one below the other, sent by OpenTelemetry's own exporter. */
async function exportSpans(endpoint: string): Promise<{ parent: string; child: string; traceId: string }> {
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "orders" }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer("test");
  const parent = tracer.startSpan("GET /", { attributes: { "a.double": 1.5, "a.large.number": 2 ** 52 } });
  const below: Context = trace.setSpan(context.active(), parent);
  const child = tracer.startSpan("POST payments", {}, below);
  child.end();
  parent.end();
  await provider.shutdown();
  const { traceId, spanId } = parent.spanContext();
  return { traceId, parent: spanId, child: child.spanContext().spanId };
}

it("reads what OpenTelemetry's exporter sends", async () => {
  const receiver = await listen({});
  const { traceId, parent, child } = await exportSpans(receiver.endpoint);
  expect(receiver.spans).toContainEqual({
    traceId,
    spanId: parent,
    parentSpanId: "",
    name: "GET /",
    service: "orders",
  });
  expect(receiver.spans).toContainEqual({
    traceId,
    spanId: child,
    parentSpanId: parent,
    name: "POST payments",
    service: "orders",
  });
});

it("forwards spans to where the environment says", async () => {
  const other = await listen({});
  const receiver = await listen({ OTEL_EXPORTER_OTLP_ENDPOINT: other.endpoint });
  await exportSpans(receiver.endpoint);
  expect(receiver.spans).toHaveLength(2);
  expect(other.spans).toEqual(receiver.spans);
});

it("refuses a body that is not an export", async () => {
  const receiver = await listen({});
  const body = Buffer.from([0x0a, 0xff]);
  const response = await fetch(`${receiver.endpoint}/v1/traces`, { method: "POST", body });
  expect(response.status).toBe(400);
  expect(receiver.spans).toEqual([]);
});
