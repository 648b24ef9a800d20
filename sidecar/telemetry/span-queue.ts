/**
 * Recorded spans on their way out: a ring until there is an exporter, and then its batches.
 *
 * ```
 *   layers ─▶ SpanQueue ─▶ BatchSpanProcessor ─▶ OTLP over HTTP, or gRPC   (the latter two in exporter.ts)
 * ```
 *
 * No request waits for any of it. Memory is bounded at each arrow, and what finds no room is dropped and counted.
 * Nothing of OpenTelemetry is loaded before `exportSpans` is called.
 */

import type { Clock } from "../../model/clock.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import type { OtlpReceiver } from "./otlp-receiver.ts";
import type { Span, SpanSink } from "./span.ts";

/** The most spans that wait in the ring, and later in the batch processor, besides a batch being sent: about 1 KiB each. */
const defaultCapacity = 2_048;

/** Holds spans until there is an exporter, and counts those that it could not keep. */
export class SpanQueue implements SpanSink {
  readonly capacity: number;
  readonly #countDropped: (spans: number) => void;
  readonly #ring: Span[] = [];
  #oldest = 0;
  #sink: SpanSink | undefined;

  constructor(options: { countDropped: (spans: number) => void; capacity?: number }) {
    this.capacity = options.capacity ?? defaultCapacity;
    this.#countDropped = options.countDropped;
  }

  /** Without an exporter, the newest spans are kept. */
  push(span: Span): void {
    if (this.#sink !== undefined) return this.#sink.push(span);
    if (this.#ring.length < this.capacity) {
      this.#ring.push(span);
      return;
    }
    this.#ring[this.#oldest] = span;
    this.#oldest = (this.#oldest + 1) % this.capacity;
    this.#countDropped(1);
  }

  drop(spans: number): void {
    this.#countDropped(spans);
  }

  /** Passes on what is waiting, oldest first, and everything from now on. */
  drainTo(sink: SpanSink): void {
    this.#sink = sink;
    const waiting = [...this.#ring.slice(this.#oldest), ...this.#ring.slice(0, this.#oldest)];
    this.#ring.length = this.#oldest = 0;
    for (const span of waiting) sink.push(span);
  }
}

export interface ExportOptions {
  readonly receiver: OtlpReceiver;
  /** The attributes of every span: `service.name`, `k8s.pod.name` … */
  readonly resource: Readonly<Record<string, string>>;
  /** Unix time in ms at which the sidecar's clock showed 0. */
  readonly epochMs: number;
  /** How long a span waits for others to be sent with it. Default 5 s. */
  readonly batchDelayMs?: number;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export interface SpanExport {
  /** Sends what is waiting, for at most this long, and stops. Later spans are dropped. */
  close(timeoutMs: number): Promise<void>;
}

/** Loads the exporter and connects the queue to it. Call it once the sidecar is ready: it takes about 50 ms. */
export async function exportSpans(queue: SpanQueue, options: ExportOptions): Promise<SpanExport> {
  const { openExporter } = await import("./exporter.ts");
  return openExporter(queue, options);
}
