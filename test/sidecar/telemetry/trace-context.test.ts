import { assert, property, string } from "fast-check";
import { expect, it } from "vitest";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { formatTraceparent, IdSource, readTraceContext } from "../../../sidecar/telemetry/trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const valid = `00-${traceId}-${spanId}-01`;

function read(traceparent: string, ...tracestates: string[]) {
  const headers = new HeaderFields(["traceparent", traceparent]);
  for (const value of tracestates) headers.append("tracestate", value);
  return readTraceContext(headers);
}

it("reads what it writes", () => {
  expect(read(formatTraceparent(traceId, spanId, true))).toEqual({
    traceId,
    spanId,
    sampled: true,
    tracestate: undefined,
  });
  expect(read(formatTraceparent(traceId, spanId, false))?.sampled).toBe(false);
});

it.each([
  ["an unknown flag beside the sampled one", `00-${traceId}-${spanId}-ff`, true],
  ["an unknown flag without the sampled one", `00-${traceId}-${spanId}-fe`, false],
  ["a later version of the same length", `01-${traceId}-${spanId}-01`, true],
  ["a later version with more fields", `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`, true],
])("accepts %s", (_, traceparent, sampled) => {
  expect(read(traceparent)).toMatchObject({ traceId, spanId, sampled });
});

it.each([
  ["nothing", ""],
  ["version ff", `ff-${traceId}-${spanId}-01`],
  ["more fields in version 00", `${valid}-what`],
  ["a later version that goes on without a dash", `cc-${traceId}-${spanId}-01.what`],
  ["a trace id of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
  ["a span id of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
  ["upper case", valid.toUpperCase()],
  ["a short trace id", `00-${traceId.slice(1)}-${spanId}-01`],
  ["a long span id", `00-${traceId}-${spanId}0-01`],
  ["flags of one digit", `00-${traceId}-${spanId}-1`],
  ["space around it", ` ${valid} `],
  ["a line break after it", `${valid}\n`],
  ["another value after a comma", `${valid},${valid}`],
  ["kilobytes of a later version", `cc-${traceId}-${spanId}-01-${"x".repeat(10_000)}`],
])("refuses %s", (_, traceparent) => {
  expect(read(traceparent)).toBeUndefined();
});

it("refuses two traceparent fields, and reads none as no context", () => {
  expect(readTraceContext(new HeaderFields(["traceparent", valid, "traceparent", valid]))).toBeUndefined();
  expect(readTraceContext(new HeaderFields(["tracestate", "a=1"]))).toBeUndefined();
});

it("turns any header field into either nothing or a context that it reads again as the same", () => {
  assert(
    property(string({ unit: "binary" }), string({ unit: "binary" }), (noise, tracestate) => {
      for (const traceparent of [noise, valid + noise, noise + valid, `01${valid.slice(2)}-${noise}`]) {
        const context = read(traceparent, tracestate);
        if (context === undefined) continue;
        const again = read(
          formatTraceparent(context.traceId, context.spanId, context.sampled),
          context.tracestate ?? "",
        );
        expect(again).toEqual(context);
      }
    }),
  );
});

it("joins tracestate fields in order, without empty members", () => {
  expect(read(valid, "a=1, b=2", ",", "t@vendor=x y")?.tracestate).toBe("a=1,b=2,t@vendor=x y");
});

it.each([
  ["a member without a value", "a"],
  ["an upper-case key", "A=1"],
  ["a key twice", "a=1,a=2"],
  ["a value with an equals sign", "a=b=c"],
  ["a control byte", "a=\u0001"],
  ["33 members", Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(",")],
])("drops a whole tracestate for %s, and keeps the traceparent", (_, tracestate) => {
  expect(read(valid, tracestate)).toEqual({ traceId, spanId, sampled: true, tracestate: undefined });
});

it("gives out ids of the right length, all different, over many refills of the pool", () => {
  const ids = new IdSource();
  const given = new Set(Array.from({ length: 2_000 }, (_, i) => (i % 2 === 0 ? ids.traceId() : ids.spanId())));
  expect(given.size).toBe(2_000);
  for (const id of given) expect(id).toMatch(/^(?:[0-9a-f]{32}|[0-9a-f]{16})$/);
});

it("never gives out an id of zeros", () => {
  let fills = 0;
  const ids = new IdSource((pool) => pool.fill(fills++ === 0 ? 0 : 0xab));
  expect(ids.spanId()).toBe("ab".repeat(8));
});
