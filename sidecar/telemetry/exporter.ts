/**
 * Sends spans over OTLP with OpenTelemetry's own parts, over gRPC with this sidecar's own client. `span-queue.ts` loads it when it is wanted.
 * It turns spans into OpenTelemetry's form, and it makes the losses that the SDK keeps to itself count.
 */

import {
  createTraceState,
  type HrTime,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace";
import { OtlpGrpcExporter } from "./otlp-grpc.ts";
import type { Span } from "./span.ts";
import type { ExportOptions, SpanExport, SpanQueue } from "./span-queue.ts";
import type { TraceContext } from "./trace-context.ts";

/** Connects the queue to the receiver, whether or not anyone is listening there. */
export function openExporter(queue: SpanQueue, options: ExportOptions): SpanExport {
  const batchSpans = Math.min(maxBatchSpans, queue.capacity);
  const maxHeld = queue.capacity + batchSpans;
  const exporter = new CountingExporter(otlpExporter(queue, options), queue, maxHeld);
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize: maxHeld,
    maxExportBatchSize: batchSpans,
    scheduledDelayMillis: options.batchDelayMs ?? 5_000,
  });
  const resource = resourceFromAttributes(options.resource);
  let closed = false;
  queue.drainTo({
    push(span) {
      if (closed || !exporter.admit()) return queue.drop(1);
      processor.onEnd(readable(span, resource, options.epochMs));
    },
  });
  return {
    async close(timeoutMs) {
      closed = true;
      // A failed batch has been counted; what remains is to close the connection.
      await within(
        timeoutMs,
        processor.shutdown().catch(() => exporter.shutdown()),
      );
    },
  };
}

function otlpExporter(queue: SpanQueue, { receiver, clock, wheel }: ExportOptions): SpanExporter {
  switch (receiver.kind) {
    case "http":
      return new OTLPTraceExporter({ url: receiver.url, timeoutMillis: receiver.timeoutMs });
    case "grpc":
      return new OtlpGrpcExporter({ receiver, clock, wheel, rejected: (spans) => queue.drop(spans) });
  }
}

const maxBatchSpans = 512;

/** `ExportResultCode.SUCCESS` of @opentelemetry/core, which is not a direct dependency. */
const exportSucceeded = 0;

/**
 * Knows how many spans are waiting in the batch processor or being sent, and counts those that could not be sent. The number
 * being sent must be limited here, because after a failure the processor sends several batches at a time.
 */
class CountingExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #queue: SpanQueue;
  readonly #maxHeld: number;
  #held = 0;

  constructor(exporter: SpanExporter, queue: SpanQueue, maxHeld: number) {
    this.#exporter = exporter;
    this.#queue = queue;
    this.#maxHeld = maxHeld;
  }

  admit(): boolean {
    if (this.#held >= this.#maxHeld) return false;
    this.#held++;
    return true;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter["export"]>[1]): void {
    this.#exporter.export(spans, (result) => {
      this.#held -= spans.length;
      if (result.code !== exportSucceeded) this.#queue.drop(spans.length);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}

async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, timeout]).finally(() => clearTimeout(timer));
}

const scope = { name: "tulle" };

function readable(span: Span, resource: ReadableSpan["resource"], epochMs: number): ReadableSpan {
  const context = spanContext(span.context, span.context.spanId, false);
  const { parentSpanId } = span;
  const parent = parentSpanId === undefined ? undefined : spanContext(span.context, parentSpanId, span.parentRemote);
  return {
    name: span.name,
    kind: span.kind === "server" ? SpanKind.SERVER : SpanKind.CLIENT,
    spanContext: () => context,
    ...(parent === undefined ? {} : { parentSpanContext: parent }),
    startTime: hrTime(epochMs + span.startMs),
    endTime: hrTime(epochMs + span.endMs),
    duration: hrTime(span.endMs - span.startMs),
    status: { code: span.failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes: span.attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function spanContext({ traceId, tracestate }: TraceContext, spanId: string, isRemote: boolean): SpanContext {
  const traceState = tracestate === undefined ? {} : { traceState: createTraceState(tracestate) };
  return { traceId, spanId, isRemote, traceFlags: TraceFlags.SAMPLED, ...traceState };
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}
