import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Field } from "../../../../sidecar/http2/field.ts";
import { HpackDecoder } from "../../../../sidecar/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../../../sidecar/http2/hpack/encoder.ts";

function encode(encoder: HpackEncoder, flat: readonly string[]): Buffer {
  const buffer = Buffer.alloc(encoder.bound(flat));
  return buffer.subarray(0, encoder.encode(buffer, 0, flat));
}

function decode(decoder: HpackDecoder, block: Buffer): string[] {
  const fields: Field[] = [];
  expect(decoder.decode(block, fields, Number.POSITIVE_INFINITY)).toBe("ok");
  return fields.flatMap(({ name, value }) => [name, value]);
}

const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "-"), maxLength: 12 });
const octet = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const value = fc.oneof(text, fc.string({ unit: octet }));
const name = fc.oneof(
  fc.constantFrom(":method", ":path", "cookie", "authorization", "date", "x-a", "x-b", "accept"),
  text,
);
const section = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 20 }).map((pairs) => pairs.flat());

it("is reversed by the decoder, section after section, whatever the table's size", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(section, fc.constantFrom(0, 64, 100, 1000, 4096)), { maxLength: 30 }),
      fc.constantFrom(0, 100, 4096),
      (steps, maxBytes) => {
        const encoder = new HpackEncoder(maxBytes);
        const decoder = new HpackDecoder(4096);
        for (const [flat, peerLimit] of steps) {
          encoder.setPeerLimit(peerLimit);
          decoder.setLimit(peerLimit);
          expect(decode(decoder, encode(encoder, flat))).toEqual(flat);
          expect(decoder.tableBytes).toBe(encoder.tableBytes);
          expect(encoder.tableBytes).toBeLessThanOrEqual(Math.min(maxBytes, peerLimit));
        }
      },
    ),
    { numRuns: 300 },
  );
});

it("is reversed by the decoder while fields are evicted and return, at the same places and at others", () => {
  const few = fc.tuple(
    fc.constantFrom("x-a", "x-b", "x-c", "date", "accept"),
    fc.constantFrom("", "1", "22", "333", "a".repeat(30)),
  );
  const block = fc.array(few, { maxLength: 6 }).map((pairs) => pairs.flat());
  fc.assert(
    fc.property(
      fc.array(block, { minLength: 20, maxLength: 200 }),
      fc.integer({ min: 60, max: 300 }),
      (blocks, limit) => {
        const encoder = new HpackEncoder(limit);
        const decoder = new HpackDecoder(4096);
        for (const flat of blocks) {
          expect(decode(decoder, encode(encoder, flat))).toEqual(flat);
          expect(decoder.tableBytes).toBe(encoder.tableBytes);
        }
      },
    ),
    { numRuns: 200 },
  );
});

describe("what enters the dynamic table", () => {
  it("is a repeated field: one octet from the third time on", () => {
    const encoder = new HpackEncoder(4096);
    const sizes = [1, 2, 3, 4].map(() => encode(encoder, ["x-tenant", "blue"]).length);
    expect(sizes).toEqual([15, 15, 1, 1]);
  });

  it("is not a field of the static table: one octet from the first time on", () => {
    expect(encode(new HpackEncoder(4096), [":method", "GET", "accept-encoding", "gzip, deflate"])).toHaveLength(2);
  });

  it("is not a field that was seen only once", () => {
    const encoder = new HpackEncoder(4096);
    for (let i = 0; i < 1000; i++) encode(encoder, ["traceparent", `00-${i}-01`]);
    expect(encoder.tableBytes).toBe(0);
  });

  it.each(["authorization", "proxy-authorization", "set-cookie", "cookie"])(
    "is not %s, which is marked",
    (credential) => {
      const encoder = new HpackEncoder(4096);
      for (let i = 0; i < 3; i++) expect((encode(encoder, [credential, "secret"])[0] as number) & 0xf0).toBe(0x10);
      expect(encoder.tableBytes).toBe(0);
    },
  );

  it("is not a field that the sender marked, which stays marked", () => {
    const encoder = new HpackEncoder(4096);
    const buffer = Buffer.alloc(100);
    for (let i = 0; i < 3; i++) {
      const end = encoder.encode(buffer, 0, ["x-api-key", "secret"], ["x-api-key"]);
      const fields: Field[] = [];
      expect(new HpackDecoder(4096).decode(buffer.subarray(0, end), fields, 1000)).toBe("ok");
      expect(fields).toMatchObject([{ name: "x-api-key", value: "secret", isSensitive: true }]);
    }
    expect(encoder.tableBytes).toBe(0);
  });

  it("is a long cookie, which can't be guessed", () => {
    const encoder = new HpackEncoder(4096);
    for (let i = 0; i < 2; i++) encode(encoder, ["cookie", "session=0123456789abcdef"]);
    expect(encoder.tableBytes).toBeGreaterThan(0);
  });
});

it("announces the smallest and the last limit if the peer changed it twice", () => {
  const encoder = new HpackEncoder(4096);
  encoder.setPeerLimit(10);
  encoder.setPeerLimit(100);
  expect(encode(encoder, [":method", "GET"]).toString("hex")).toBe("2a3f4582");
});
