import { expect, it } from "vitest";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { readB3 } from "../../../sidecar/telemetry/b3.ts";

const trace = "80f198ee56343ba864fe8b2a57d3eff7";
const span = "e457b5a2e4d86bd1";
const parent = "05e3ac9a4f6e3b90";

function read(fields: Readonly<Record<string, string>>) {
  return readB3(new HeaderFields(Object.entries(fields).flat()));
}

function context(sampled: boolean | undefined, traceId: string | undefined = trace) {
  return { traceId, spanId: span, sampled, tracestate: undefined };
}

it.each([
  [`${trace}-${span}-1-${parent}`, context(true)],
  [`${trace}-${span}-1`, context(true)],
  [`${trace}-${span}-d`, context(true)],
  [`${trace}-${span}-0`, context(false)],
  [`${trace}-${span}`, context(undefined)],
  [`${trace.slice(16)}-${span}-1`, context(true, `0000000000000000${trace.slice(16)}`)],
  ["0", { traceId: undefined, spanId: undefined, sampled: false, tracestate: undefined }],
  ["d", { traceId: undefined, spanId: undefined, sampled: true, tracestate: undefined }],
])("reads one field: %s", (b3, expected) => {
  expect(read({ b3 })).toEqual(expected);
});

it("reads a field for each part", () => {
  const ids = { "x-b3-traceid": trace, "x-b3-spanid": span };
  expect(read({ ...ids, "x-b3-parentspanid": parent, "x-b3-sampled": "1" })).toEqual(context(true));
  expect(read({ ...ids, "x-b3-sampled": "false" })).toEqual(context(false));
  expect(read({ ...ids, "x-b3-flags": "1", "x-b3-sampled": "0" })).toEqual(context(true));
  expect(read(ids)).toEqual(context(undefined));
  expect(read({ "x-b3-sampled": "0" })).toEqual({ ...context(false), traceId: undefined, spanId: undefined });
});

it.each([
  {},
  { b3: "" },
  { b3: "nonsense" },
  { b3: `${trace}-${span}-1-${parent}-more` },
  { b3: `${trace}-${span}-1-nonsense` },
  { b3: `${"0".repeat(32)}-${span}-1` },
  { b3: `${trace}-${"0".repeat(16)}-1` },
  { b3: `${trace.toUpperCase()}-${span}-1` },
  { b3: `${trace}0-${span}-1` },
  { "x-b3-traceid": trace },
  { "x-b3-spanid": span },
  { "x-b3-traceid": trace, "x-b3-spanid": "1" },
])("reads nothing from %o", (fields) => {
  expect(read(fields)).toBeUndefined();
});
