/**
 * Reads spans from the body of an OTLP/HTTP export in protobuf: the fields that the tour looks at, all others skipped.
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/collector/trace/v1/trace_service.proto
 */

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root span. */
  readonly parentSpanId: string;
  readonly name: string;
  /** The `service.name` of the process that made it. */
  readonly service: string;
}

/** Throws a `RangeError` if the bytes end early or are not protobuf. */
export function readSpans(body: Buffer): readonly ReceivedSpan[] {
  return messages(body, exportRequest.resourceSpans).flatMap((resourceSpans) => {
    const resources = messages(resourceSpans, resourceSpansFields.resource);
    const service = resources.map(serviceName).find((name) => name !== undefined) ?? "";
    return messages(resourceSpans, resourceSpansFields.scopeSpans)
      .flatMap((scopeSpans) => messages(scopeSpans, scopeSpansFields.spans))
      .map((span) => readSpan(span, service));
  });
}

const exportRequest = { resourceSpans: 1 };
const resourceSpansFields = { resource: 1, scopeSpans: 2 };
const resourceFields = { attributes: 1 };
const scopeSpansFields = { spans: 2 };
const spanFields = { traceId: 1, spanId: 2, parentSpanId: 4, name: 5 };
const keyValueFields = { key: 1, value: 2 };
const anyValueFields = { stringValue: 1 };

function readSpan(span: Buffer, service: string): ReceivedSpan {
  const bytes = (field: number) => messages(span, field)[0] ?? Buffer.alloc(0);
  return {
    traceId: bytes(spanFields.traceId).toString("hex"),
    spanId: bytes(spanFields.spanId).toString("hex"),
    parentSpanId: bytes(spanFields.parentSpanId).toString("hex"),
    name: bytes(spanFields.name).toString(),
    service,
  };
}

function serviceName(resource: Buffer): string | undefined {
  const attribute = messages(resource, resourceFields.attributes).find(
    (keyValue) => messages(keyValue, keyValueFields.key)[0]?.toString() === "service.name",
  );
  const value = attribute === undefined ? undefined : messages(attribute, keyValueFields.value)[0];
  return value === undefined ? undefined : messages(value, anyValueFields.stringValue)[0]?.toString();
}

/** The length-delimited values of one field, in order. https://protobuf.dev/programming-guides/encoding/ */
function messages(message: Buffer, wanted: number): readonly Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < message.length; ) {
    const tag = readVarint(message, at);
    const { value, end } = readValue(message, tag.end, tag.value & 7);
    if (value !== undefined && tag.value >>> 3 === wanted) found.push(value);
    at = end;
  }
  return found;
}

function readValue(message: Buffer, at: number, wireType: number): { value?: Buffer; end: number } {
  switch (wireType) {
    case 0:
      return { end: readVarint(message, at).end };
    case 1:
      return { end: at + 8 };
    case 5:
      return { end: at + 4 };
    case 2: {
      const length = readVarint(message, at);
      const end = length.end + length.value;
      if (end > message.length) throw new RangeError("a field is longer than its message");
      return { value: message.subarray(length.end, end), end };
    }
    default:
      throw new RangeError(`wire type ${wireType} is not in use`);
  }
}

/** Numbers beyond 2^53 are only skipped here, so their value may be inexact. */
function readVarint(message: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start, shift = 0; at < message.length && shift < 70; at++, shift += 7) {
    const byte = message.readUInt8(at);
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: at + 1 };
  }
  throw new RangeError("a number does not end");
}
