import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Field } from "../../../../sidecar/http2/field.ts";
import { type Decoded, HpackDecoder } from "../../../../sidecar/http2/hpack/decoder.ts";

function decode(decoder: HpackDecoder, hex: string, limitBytes = 32_768): { decoded: Decoded; pairs: string[] } {
  const fields: Field[] = [];
  const decoded = decoder.decode(Buffer.from(hex.replaceAll(" ", ""), "hex"), fields, limitBytes);
  return { decoded, pairs: fields.map(({ name, value }) => `${name}: ${value}`) };
}

describe("RFC 7541 Appendix C.2: single fields", () => {
  it.each([
    ["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header", 55],
    ["040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", 0],
    ["1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret", 0],
    ["82", ":method: GET", 0],
  ])("%s", (hex, pair, tableBytes) => {
    const decoder = new HpackDecoder(4096);
    expect(decode(decoder, hex)).toEqual({ decoded: "ok", pairs: [pair] });
    expect(decoder.tableBytes).toBe(tableBytes);
  });
});

const common = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const requests: [pairs: string[], tableBytes: number][] = [
  [common, 57],
  [[...common, "cache-control: no-cache"], 110],
  [
    [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"],
    164,
  ],
];

describe.each([
  [
    "C.3: requests without Huffman",
    [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
  ],
  [
    "C.4: requests with Huffman",
    [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
  ],
])("RFC 7541 Appendix %s", (_name, blocks) => {
  it("decodes the three in a row, with the table's size after each", () => {
    const decoder = new HpackDecoder(4096);
    blocks.forEach((hex, i) => {
      const [pairs, tableBytes] = requests[i] as [string[], number];
      expect(decode(decoder, hex)).toEqual({ decoded: "ok", pairs });
      expect(decoder.tableBytes).toBe(tableBytes);
    });
  });
});

const cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const location = "location: https://www.example.com";
const date = (second: number): string => `date: Mon, 21 Oct 2013 20:13:${second} GMT`;
const responses: [pairs: string[], tableBytes: number][] = [
  [[":status: 302", "cache-control: private", date(21), location], 222],
  [[":status: 307", "cache-control: private", date(21), location], 222],
  [[":status: 200", "cache-control: private", date(22), location, "content-encoding: gzip", cookie], 215],
];

describe.each([
  [
    "C.5: responses without Huffman, with eviction",
    [
      "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "4803 3330 37c1 c0bf",
      "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ],
  ],
  [
    "C.6: responses with Huffman, with eviction",
    [
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
      "4883 640e ffc1 c0bf",
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ],
  ],
])("RFC 7541 Appendix %s", (_name, blocks) => {
  it("decodes the three in a row in a table of 256 octets", () => {
    const decoder = new HpackDecoder(4096);
    expect(decode(decoder, "3fe101").decoded).toBe("ok"); // the table is set to 256
    blocks.forEach((hex, i) => {
      const [pairs, tableBytes] = responses[i] as [string[], number];
      expect(decode(decoder, hex)).toEqual({ decoded: "ok", pairs });
      expect(decoder.tableBytes).toBe(tableBytes);
    });
  });
});

describe("what is not HPACK", () => {
  it.each([
    ["index 0", "80"],
    ["an index beyond both tables", "be"],
    ["a name index beyond both tables", "7f00 01 61"],
    ["an integer without end", "ffffffffffff"],
    ["an integer cut off", "ff"],
    ["a string longer than the block", "0003 61"],
    ["a literal without value", "0001 61"],
    ["a Huffman string with EOS", "0084 ffffffff 00"],
    ["a size update beyond the limit", "3fe21f"],
    ["a size update after a field", "82 20"],
  ])("refuses %s", (_name, hex) => {
    expect(decode(new HpackDecoder(4096), hex).decoded).toBe("invalid");
  });

  it("neither throws nor hangs on any octets", () => {
    const decoded = new Set<Decoded>();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        decoded.add(new HpackDecoder(4096).decode(Buffer.from(octets), [], 1000));
      }),
      { numRuns: 2000 },
    );
    expect(decoded).toContain("invalid");
  });
});

describe("the limit of the table", () => {
  it("is the protocol's default until the peer has acknowledged a smaller one", () => {
    const decoder = new HpackDecoder(0);
    expect(decode(decoder, "4001 61 01 62").decoded).toBe("ok");
    expect(decode(decoder, "be")).toEqual({ decoded: "ok", pairs: ["a: b"] });
    decoder.setLimit(0);
    expect(decode(decoder, "82").decoded).toBe("invalid"); // the peer owes a size update
    expect(decode(decoder, "20 82").decoded).toBe("ok");
    expect(decoder.tableBytes).toBe(0);
    expect(decode(decoder, "be").decoded).toBe("invalid");
  });

  it("lets the peer grow the table up to a larger limit", () => {
    expect(decode(new HpackDecoder(8192), "3fe13f 82").decoded).toBe("ok");
    expect(decode(new HpackDecoder(8192), "3fe23f 82").decoded).toBe("invalid");
  });
});

describe("a block larger than the limit", () => {
  it("yields only the first fields, and keeps the table in step", () => {
    const decoder = new HpackDecoder(4096);
    expect(decode(decoder, "4001 61 01 62 4001 63 01 64", 40)).toEqual({ decoded: "too-large", pairs: ["a: b"] });
    expect(decode(decoder, "be bf").pairs).toEqual(["c: d", "a: b"]);
  });
});
