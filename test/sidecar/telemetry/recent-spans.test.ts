import { expect, it } from "vitest";
import { RecentSpans } from "../../../sidecar/telemetry/recent-spans.ts";
import type { Span } from "../../../sidecar/telemetry/span.ts";

function spanOf(trace: number, change: Partial<Span> = {}): Span {
  const traceId = trace.toString(16).padStart(32, "0");
  return {
    name: "GET",
    kind: "server",
    context: { traceId, spanId: "00f067aa0ba902b7", sampled: true, tracestate: undefined },
    parentSpanId: undefined,
    parentRemote: false,
    attributes: { "http.response.status_code": 200, "url.path": "/".repeat(1_000) },
    startMs: 1.5,
    endMs: 4,
    failed: false,
    ...change,
  };
}

it("reports each span once, as the control plane reads it", () => {
  const recent = new RecentSpans(1_000);
  recent.push(spanOf(1, { parentSpanId: "b7ad6b7169203331" }));
  const [told] = recent.take();
  expect(told).toMatchObject({
    name: "GET",
    server: true,
    failed: false,
    startUnixMicroseconds: 1_001_500,
    durationMicroseconds: 2_500,
    parentSpanId: Buffer.from("b7ad6b7169203331", "hex"),
  });
  expect(told?.attributes?.[0]).toEqual({ key: "http.response.status_code", value: "200" });
  expect(told?.attributes?.[1]?.value).toHaveLength(256);
  expect(recent.take()).toEqual([]);
});

it("chooses the same traces as other sidecars if there are too many", () => {
  const [one, other] = [new RecentSpans(0), new RecentSpans(0)];
  for (let trace = 1_000; trace > 0; trace--) one.push(spanOf(trace));
  for (let trace = 1; trace <= 1_000; trace++) other.push(spanOf(trace));
  const tracesOf = (recent: RecentSpans) =>
    recent.take().map(({ traceId }) => Buffer.from(traceId ?? "").toString("hex"));
  const chosen = tracesOf(one);
  expect(chosen).toHaveLength(64);
  expect(tracesOf(other)).toEqual(chosen);
});
