/** A real OTLP receiver over HTTP: it understands exports as a collector would. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";

/** The part of https://github.com/open-telemetry/opentelemetry-proto that spans need, by field number. */
const schema = `syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message Scope { string name = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
message Status { string message = 2; int32 code = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15;
}`;
const request = protobuf.parse(schema, { keepCase: false }).root.lookupType("Request");

interface Pair {
  readonly key: string;
  readonly value: Readonly<Record<string, string | number>>;
}

/** The output of `toObject`: bytes in base64, 64-bit numbers as strings. */
interface Decoded {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly Pair[] };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly DecodedSpan[];
    }[];
  }[];
}

interface DecodedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly Pair[];
  readonly status?: { readonly code?: number };
}

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: a root span. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** 2 server, 3 client. */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly failed: boolean;
  readonly resource: Readonly<Record<string, string | number>>;
  readonly scope: string;
}

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** The status with which each request is answered. */
  status = 200;
  requests = 0;
  readonly #server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      this.requests++;
      if (this.status === 200 && incoming.url === "/v1/traces") this.spans.push(...decodeSpans(Buffer.concat(chunks)));
      response.writeHead(this.status, { "content-type": "application/x-protobuf" }).end();
    });
  });

  /** Resolves to the URL to export to. */
  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** The spans in an export request, however it was transported. */
export function decodeSpans(bytes: Buffer): ReceivedSpan[] {
  const decoded: Decoded = request.toObject(request.decode(bytes), { bytes: String, longs: String });
  return (decoded.resourceSpans ?? []).flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId ?? ""),
        traceState: span.traceState ?? "",
        name: span.name,
        kind: span.kind,
        startMs: Number(BigInt(span.startTimeUnixNano) / 1_000n) / 1_000,
        endMs: Number(BigInt(span.endTimeUnixNano) / 1_000n) / 1_000,
        attributes: record(span.attributes),
        failed: span.status?.code === 2,
        resource: record(resource.attributes),
        scope: scope.name,
      })),
    ),
  );
}

function hex(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}

function record(pairs: readonly Pair[] = []): Record<string, string | number> {
  const values = pairs.map(({ key, value }) => {
    const said = value["stringValue"] ?? value["doubleValue"] ?? Number(value["intValue"]);
    return [key, said] as const;
  });
  return Object.fromEntries<string | number>(values);
}
