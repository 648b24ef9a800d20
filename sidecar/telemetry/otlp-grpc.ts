/**
 * OTLP over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc) with this sidecar's own client: a call for each batch,
 * repeated while its status says that this may help and there is time. It compresses nothing.
 */

import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { Clock } from "../../model/clock.ts";
import { GrpcCall } from "../grpc/call.ts";
import { type GrpcError, grpcCodes } from "../grpc/status.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import type { OtlpReceiver } from "./otlp-receiver.ts";

export interface OtlpGrpcOptions {
  readonly receiver: OtlpReceiver & { readonly kind: "grpc" };
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Called with the number of spans that the receiver refused of a batch that was sent. */
  readonly rejected: (spans: number) => void;
}

const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const maxMessageBytes = 4 * 1024 * 1024;
const firstDelayMs = 1_000;
const delayGrowth = 1.5;
/** `ExportResultCode` of @opentelemetry/core, which is not a direct dependency. */
const resultCodes = { success: 0, failed: 1 } as const;

/**
 * The statuses that the specification calls retryable. RESOURCE_EXHAUSTED is retryable only with a delay from the server, which
 * is not read here.
 */
const retryable: ReadonlySet<number> = new Set([
  grpcCodes.CANCELLED,
  grpcCodes.DEADLINE_EXCEEDED,
  grpcCodes.ABORTED,
  grpcCodes.OUT_OF_RANGE,
  grpcCodes.UNAVAILABLE,
  grpcCodes.DATA_LOSS,
]);

type Done = Parameters<SpanExporter["export"]>[1];

export class OtlpGrpcExporter implements SpanExporter {
  readonly #options: OtlpGrpcOptions;
  readonly #secureContext: SecureContext | undefined;
  readonly #calls = new Map<GrpcCall, Done>();
  readonly #waiting = new Map<NodeJS.Timeout, Done>();
  #closed = false;

  /** Throws if one of the receiver's files can't be read. */
  constructor(options: OtlpGrpcOptions) {
    this.#options = options;
    const { tls } = options.receiver;
    if (tls === undefined) return;
    const { ca, certificate, key } = tls;
    this.#secureContext = createSecureContext({
      ...(ca !== undefined && { ca: readFileSync(ca) }),
      ...(certificate !== undefined && { cert: readFileSync(certificate) }),
      ...(key !== undefined && { key: readFileSync(key) }),
    });
  }

  export(spans: ReadableSpan[], done: Done): void {
    const message = ProtobufTraceSerializer.serializeRequest(spans);
    if (message === undefined) return done(failed(new Error("spans that can't be encoded")));
    const endAtMs = this.#options.clock.now() + this.#options.receiver.timeoutMs;
    this.#send(Buffer.from(message), endAtMs, firstDelayMs, done);
  }

  /** Gives up the export in progress. */
  shutdown(): Promise<void> {
    this.#closed = true;
    for (const call of this.#calls.keys()) call.cancel();
    for (const timer of this.#waiting.keys()) clearTimeout(timer);
    const left = [...this.#calls.values(), ...this.#waiting.values()];
    this.#calls.clear();
    this.#waiting.clear();
    for (const done of left) done(failed(new Error("shut down")));
    return Promise.resolve();
  }

  #send(message: Buffer, endAtMs: number, delayMs: number, done: Done): void {
    if (this.#closed) return done(failed(new Error("shut down")));
    const { clock, wheel, receiver } = this.#options;
    const { address, host, metadata } = receiver;
    const timeoutMs = Math.max(1, Math.ceil(endAtMs - clock.now()));
    const call = new GrpcCall(
      {
        address,
        serverName: host,
        path,
        metadata,
        clock,
        wheel,
        maxMessageBytes,
        timeoutMs,
        ...(this.#secureContext !== undefined && { secureContext: this.#secureContext }),
      },
      {
        message: (answer) => this.#read(answer),
        closed: (error) => {
          this.#calls.delete(call);
          if (error === undefined) done({ code: resultCodes.success });
          else if (this.#mayRepeat(error, endAtMs, delayMs)) this.#wait(message, endAtMs, delayMs, done);
          else done(failed(error));
        },
      },
    );
    this.#calls.set(call, done);
    call.send(message);
    call.end();
  }

  #mayRepeat({ code }: GrpcError, endAtMs: number, delayMs: number): boolean {
    return retryable.has(code) && !this.#closed && this.#options.clock.now() + delayMs < endAtMs;
  }

  #wait(message: Buffer, endAtMs: number, delayMs: number, done: Done): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      this.#send(message, endAtMs, delayMs * delayGrowth, done);
    }, delayMs).unref();
    this.#waiting.set(timer, done);
  }

  #read(answer: Buffer): void {
    const { partialSuccess } = ProtobufTraceSerializer.deserializeResponse(answer);
    const rejected = Number(partialSuccess?.rejectedSpans ?? 0);
    if (rejected > 0) this.#options.rejected(rejected);
  }
}

function failed(error: Error): { code: number; error: Error } {
  return { code: resultCodes.failed, error };
}
