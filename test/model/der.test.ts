import { describe, expect, it } from "vitest";
import { readChildren, readElement, readWhole } from "../../model/der.ts";

const read = (hex: string) => {
  const bytes = Buffer.from(hex, "hex");
  return readElement(bytes, 0, bytes.length);
};

describe("a DER element", () => {
  it("has a tag and a place for its content", () => {
    expect(read("0402aabb")).toEqual({ tag: 4, start: 0, content: 2, end: 4 });
  });

  it("may be empty", () => {
    expect(read("3000")).toEqual({ tag: 0x30, start: 0, content: 2, end: 2 });
  });

  it("of 128 bytes has its length in a second octet", () => {
    expect(read(`048180${"00".repeat(128)}`)).toEqual({ tag: 4, start: 0, content: 3, end: 131 });
  });

  it.each([
    ["nothing", ""],
    ["a tag alone", "30"],
    ["content cut short", "0402aa"],
    ["an indefinite length", "30800000"],
    ["a length in more octets than it needs", "04817f"],
    ["a length with leading zeros", `04820080${"00".repeat(128)}`],
    ["a length of five octets", "04850000000001aa"],
    ["a length beyond the end", "0484ffffffff"],
    ["a length cut short", "0482"],
    ["a tag of more than one octet", "1f8101"],
  ])("is not %s", (_, hex) => {
    expect(read(hex)).toBeUndefined();
  });

  it("is not complete with bytes after it", () => {
    expect(readWhole(Buffer.from("300000", "hex"), 0x30)).toBeUndefined();
  });

  it("has no children if one of them reaches beyond it", () => {
    const bytes = Buffer.from("3003020200ff", "hex");
    const parent = readElement(bytes, 0, bytes.length);
    expect(parent && readChildren(bytes, parent)).toBeUndefined();
  });
});
