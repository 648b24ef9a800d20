/** Spans over OTLP's gRPC, straight from sidecars to a real Jaeger. */

import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { parseOtlpReceiver } from "../../sidecar/telemetry/otlp-receiver.ts";
import { exportSpans, SpanQueue } from "../../sidecar/telemetry/span-queue.ts";
import { eventually } from "../support/eventually.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";
import { Jaeger } from "./jaeger.ts";
import { type JaegerSpan, wayUp } from "./jaeger-query.ts";

it("has the trace of a request through two sidecars, sent over gRPC", async () => {
  await using jaeger = await Jaeger.start();
  await using mesh = await TestMesh.open();
  let dropped = 0;
  const pod = async (workload: string) => {
    const receiver = parseOtlpReceiver({
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.grpcEndpoint,
    });
    if (!receiver.ok || receiver.value?.kind !== "grpc") throw new Error("no receiver over gRPC");
    const spans = new SpanQueue({ countDropped: (count) => (dropped += count) });
    const exported = await exportSpans(spans, {
      receiver: receiver.value,
      resource: { "service.name": workload },
      epochMs: performance.timeOrigin,
      batchDelayMs: 10,
      clock: performance,
      wheel: new TimerWheel(performance),
    });
    return { ...(await mesh.sidecar(workload, { spans })), exported };
  };
  const [web, orders] = [await pod("web"), await pod("orders")];
  await mesh.application(orders.podIp, (_request, response) => response.end("fine"));
  mesh.service("orders", [meshed(orders.podIp, "orders")]);

  const traceId = randomBytes(16).toString("hex");
  const headers = { traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01` };
  expect((await askThrough(web.podIp, "http://orders/items", { headers })).status).toBe(200);
  let spans: readonly JaegerSpan[] = [];
  await eventually(async () => {
    spans = await jaeger.trace(traceId);
    return spans.length >= 3;
  }, 20_000);
  const served = spans.find(({ service }) => service === "orders");
  expect(wayUp(spans, served)).toEqual(["orders GET server", "web GET client", "web GET client"]);
  expect(served?.tags.get("http.response.status_code")).toBe(200);
  for (const { exported } of [web, orders]) await exported.close(5_000);
  expect(dropped).toBe(0);
});
