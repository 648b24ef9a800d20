import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, expect, it } from "vitest";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import type { Span } from "../../../sidecar/telemetry/span.ts";
import { exportSpans, type SpanExport, SpanQueue } from "../../../sidecar/telemetry/span-queue.ts";
import { eventually } from "../../support/eventually.ts";
import { OtlpReceiver } from "../../support/otlp-receiver.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const resource = { "service.name": "web", "k8s.pod.name": "web-1" };
const epochMs = 1_700_000_000_000;
const options = { resource, epochMs, clock: performance, wheel: new TimerWheel(performance) };
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function spanOf(number: number, change: Partial<Span> = {}): Span {
  const spanId = number.toString(16).padStart(16, "0");
  return {
    name: "GET",
    kind: "client",
    context: { traceId, spanId, sampled: true, tracestate: undefined },
    parentSpanId: undefined,
    parentRemote: false,
    attributes: { "http.request.method": "GET", "tulle.attempt": 2 },
    startMs: 1_000.25,
    endMs: 1_030.75,
    failed: false,
    ...change,
  };
}

function queueOf(capacity = 100): { queue: SpanQueue; dropped: () => number } {
  let count = 0;
  const queue = new SpanQueue({ capacity, countDropped: (spans) => (count += spans) });
  return { queue, dropped: () => count };
}

async function receiver(): Promise<{ receiver: OtlpReceiver; url: string }> {
  const otlp = new OtlpReceiver();
  closing.push(() => otlp.close());
  return { receiver: otlp, url: `${await otlp.listen()}/v1/traces` };
}

/** Takes connections, and never answers. */
async function silence(): Promise<{ url: string }> {
  const silent = createServer((socket) => {
    socket.on("error", () => {}); // the exporter gives up
    closing.push(async () => void socket.destroy());
  });
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  closing.push(async () => void silent.close());
  return { url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/v1/traces` };
}

function connect(queue: SpanQueue, url: string): Promise<SpanExport> {
  return exportSpans(queue, { receiver: { kind: "http", url, timeoutMs: 5_000 }, ...options });
}

it("sends earlier and later spans in a form that a collector understands", async () => {
  const { queue, dropped } = queueOf();
  const { receiver: otlp, url } = await receiver();
  queue.push(spanOf(1, { parentSpanId: "00f067aa0ba902b7", failed: true }));
  const exported = await connect(queue, url);
  queue.push(spanOf(2, { kind: "server", context: { ...spanOf(2).context, tracestate: "a=1" } }));
  await exported.close(5_000);
  expect(otlp.spans).toEqual([
    {
      traceId,
      spanId: "0000000000000001",
      parentSpanId: "00f067aa0ba902b7",
      traceState: "",
      name: "GET",
      kind: 3,
      startMs: epochMs + 1_000.25,
      endMs: epochMs + 1_030.75,
      attributes: { "http.request.method": "GET", "tulle.attempt": 2 },
      failed: true,
      resource,
      scope: "tulle",
    },
    expect.objectContaining({
      spanId: "0000000000000002",
      kind: 2,
      traceState: "a=1",
      parentSpanId: "",
      failed: false,
    }),
  ]);
  expect(dropped()).toBe(0);
});

it("keeps the newest spans while there is no exporter, and counts the others", async () => {
  const { queue, dropped } = queueOf(10);
  for (let i = 1; i <= 25; i++) queue.push(spanOf(i));
  expect(dropped()).toBe(15);
  const { receiver: otlp, url } = await receiver();
  const exported = await connect(queue, url);
  await exported.close(5_000);
  expect(otlp.spans.map((span) => Number.parseInt(span.spanId, 16))).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
});

it("counts spans that a receiver refuses", async () => {
  const { queue, dropped } = queueOf();
  const { receiver: otlp, url } = await receiver();
  otlp.status = 400;
  const exported = await connect(queue, url);
  for (let i = 1; i <= 7; i++) queue.push(spanOf(i));
  await exported.close(5_000);
  expect([otlp.spans.length, dropped()]).toEqual([0, 7]);
});

it("counts lost spans while nobody listens, holds no more than its capacity, and closes in time", async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, "close");
  const { queue, dropped } = queueOf(50);
  const exported = await connect(queue, `http://127.0.0.1:${port}/v1/traces`);
  for (let i = 1; i <= 10_000; i++) queue.push(spanOf(i));
  expect(dropped()).toBeGreaterThanOrEqual(10_000 - 2 * 50);
  await exported.close(5_000);
  expect(dropped()).toBe(10_000);
});

it("holds no more after an export that got no answer than before", async () => {
  const { url } = await silence();
  const { queue, dropped } = queueOf(10);
  const exported = await exportSpans(queue, { receiver: { kind: "http", url, timeoutMs: 300 }, ...options });
  let pushed = 0;
  const push = (count: number) => {
    for (let i = 0; i < count; i++) queue.push(spanOf(++pushed));
    // As many as may wait, and a batch of as many under way.
    expect(pushed - dropped()).toBeLessThanOrEqual(20);
  };
  push(30);
  await eventually(() => dropped() >= 20);
  push(30);
  await exported.close(5_000);
  expect(dropped()).toBe(pushed);
});

it("does not wait for a receiver that never answers longer than it was told", async () => {
  const { url } = await silence();
  const { queue } = queueOf();
  const exported = await exportSpans(queue, { receiver: { kind: "http", url, timeoutMs: 10_000 }, ...options });
  queue.push(spanOf(1));
  const start = performance.now();
  await exported.close(100);
  expect(performance.now() - start).toBeLessThan(8_000);
});

it("drops and counts spans that come after it was closed", async () => {
  const { queue, dropped } = queueOf();
  const { url } = await receiver();
  const exported = await connect(queue, url);
  await exported.close(5_000);
  queue.push(spanOf(1));
  expect(dropped()).toBe(1);
});
