import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeHuffman } from "../../../../sidecar/http2/hpack/huffman.ts";
import { encodeHuffman } from "./huffman-encoder.ts";

const decode = (octets: Buffer): string | undefined => decodeHuffman(octets, 0, octets.length);

it.each([
  ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
  ["a8eb10649cbf", "no-cache"],
  ["25a849e95ba97d7f", "custom-key"],
  ["25a849e95bb8e8b4bf", "custom-value"],
  ["aec3771a4b", "private"],
  ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["", ""],
])("decodes %s of RFC 7541 Appendix C", (octets, text) => {
  expect(decode(Buffer.from(octets, "hex"))).toBe(text);
});

it("decodes every octet", () => {
  const text = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
  expect(decode(encodeHuffman(text))).toBe(text);
});

it("decodes what was encoded, also beyond its initial buffer", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(255), { maxLength: 10_000 }), (codes) => {
      const text = Buffer.from(codes).toString("latin1");
      expect(decode(encodeHuffman(text))).toBe(text);
    }),
    { numRuns: 50 },
  );
});

it.each([
  ["EOS", "ffffffff"],
  ["a whole octet of padding", "1fff"], // "a" and 11 ones
  ["padding with a zero", "1e"],
  ["a symbol cut off", "fe"],
])("refuses %s", (_name, octets) => {
  expect(decode(Buffer.from(octets, "hex"))).toBeUndefined();
});
