import { expect, it } from "vitest";
import { TraceStore } from "../../../control-plane/traffic/trace-store.ts";
import type { ReportedSpan__Output } from "../../../proto/generated/tulle/v1/ReportedSpan.ts";

const web = { namespace: "shop", workload: "web" };

function hex(number: number, bytes: number): Buffer {
  return Buffer.from(number.toString(16).padStart(bytes * 2, "0"), "hex");
}

function spanOf(trace: number, span: number, change: Partial<ReportedSpan__Output> = {}): ReportedSpan__Output {
  return {
    traceId: hex(trace, 16),
    spanId: hex(span, 8),
    parentSpanId: Buffer.alloc(0),
    name: "GET",
    server: false,
    failed: false,
    startUnixMicroseconds: trace * 1_000,
    durationMicroseconds: 500,
    attributes: [{ key: "url.path", value: "/articles" }],
    ...change,
  };
}

it("joins what several sidecars reported of one trace", () => {
  const store = new TraceStore();
  store.take(web, [spanOf(1, 1, { durationMicroseconds: 9_000 })]);
  const below = { parentSpanId: hex(1, 8), startUnixMicroseconds: 3_000, server: true, failed: true };
  store.take({ ...web, workload: "orders" }, [spanOf(1, 2, below)]);
  const id = hex(1, 16).toString("hex");
  expect(store.list()).toEqual([
    {
      id,
      workload: "shop/web",
      name: "GET /articles",
      startMs: 1,
      durationMs: 9,
      spans: 2,
      failed: true,
      workloads: ["shop/orders", "shop/web"],
    },
  ]);
  expect(store.spans(id)?.map(({ workload, parent, kind }) => [workload, parent, kind])).toEqual([
    ["shop/web", undefined, "client"],
    ["shop/orders", "0000000000000001", "server"],
  ]);
});

it("keeps the newest traces, and limits each trace and each report", () => {
  const store = new TraceStore();
  for (let trace = 1; trace <= 1_000; trace++) store.take(web, [spanOf(trace, 1)]);
  expect(store.list().map(({ startMs }) => startMs)).toEqual(Array.from({ length: 50 }, (_, i) => 1_000 - i));
  expect(store.spans(hex(1, 16).toString("hex"))).toBeUndefined();
  for (let span = 1; span <= 1_000; span++) store.take(web, [spanOf(2_000, span)]);
  expect(store.list()[0]?.spans).toBe(200);
  store.take(
    web,
    Array.from({ length: 1_000 }, (_, span) => spanOf(3_000, span + 1)),
  );
  expect(store.list()[0]?.spans).toBe(64);
});

it("ignores invalid spans", () => {
  const store = new TraceStore();
  store.take(web, [spanOf(1, 1, { traceId: Buffer.alloc(3) }), spanOf(1, 1, { spanId: Buffer.alloc(9) })]);
  expect(store.list()).toEqual([]);
});
