import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RememberedLines } from "../../../sidecar/http1/remembered-lines.ts";
import { cuts, readRequests } from "./messages.ts";

const long = "x".repeat(200);
/** Near each other, so that one stands where the other stood. */
const fine = [
  "X-A: 1",
  "X-A: 12",
  "X-A: 2",
  "x-a: 1",
  "X-a:\t1",
  "X-A:",
  "X-A: 1 ",
  "X-B:1",
  "Accept: */*",
  "accept: */*",
  `X-Long: ${long}`,
  `X-Long: ${long}1`,
  "Connection: keep-alive",
  "Connection: x-a",
  "Expect: 100-continue",
];
/** Refused, the first time and the second, or only beside another. */
const bad = [
  "Host: b",
  "Content-Length: 00",
  "Content-Length: 0",
  "Transfer-Encoding: chunked",
  "X A: 1",
  " folded",
  "X-A",
  "X-A: 1\n",
  "X-A: \u0000",
  ": 1",
];
const host = fc.constantFrom("Host: a", "Host: a", "Host: b", "host: a", "Host:a", "Host: a ");
const line = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom(...fine) },
  { weight: 1, arbitrary: fc.constantFrom(...bad) },
);
const request = fc
  .tuple(host, fc.array(line, { maxLength: 20 }))
  .map((fields) => ["GET / HTTP/1.1", ...fields.flat(), "", ""].join("\r\n"));

/** Those up to the first that is refused or has no end, each read by a parser of its own. */
function readAlone(texts: readonly string[]) {
  const read = texts.map((text) => readRequests([text]));
  const last = read.findIndex(({ refusal, messages }) => refusal !== undefined || messages[0]?.ended !== true);
  return last < 0 ? read : read.slice(0, last + 1);
}

it("don't change how a head is read", () => {
  const requests = fc.array(request, { minLength: 2, maxLength: 6 }).chain((texts) => {
    const alone = readAlone(texts);
    const text = texts.slice(0, alone.length).join("");
    return fc.record({ alone: fc.constant(alone), text: fc.constant(text), pieces: cuts(text) });
  });
  fc.assert(
    fc.property(requests, ({ alone, text, pieces }) => {
      for (const { messages, refusal } of [readRequests([text]), readRequests(pieces)]) {
        expect(messages).toEqual(alone.flatMap((one) => one.messages));
        expect(refusal).toEqual(alone.at(-1)?.refusal);
      }
    }),
    { numRuns: 300 },
  );
});

describe("remembered lines", () => {
  const parts = { nameEnd: 3, valueStart: 5, valueEnd: 6, nameIndex: 0 };

  function remembering(text: string, place = 0): RememberedLines {
    const remembered = new RememberedLines();
    remembered.keep(place, Buffer.from(`..${text}..`), 2, text.length, parts);
    return remembered;
  }

  it("are found at their position, whole and unchanged, and nowhere else", () => {
    const remembered = remembering("X-A: 1\r\n", 2);
    const found = (place: number, text: string) => remembered.find(place, Buffer.from(text), 0, text.length)?.length;
    expect(found(2, "X-A: 1\r\nX-B: 2\r\n")).toBe(8);
    for (const text of ["X-A: 1\r", "X-A: 12\r\n", "x-A: 1\r\n", "X-A: 2\r\n", ""])
      expect(found(2, text)).toBeUndefined();
    for (const place of [0, 1, 3]) expect(found(place, "X-A: 1\r\n")).toBeUndefined();
  });

  it("have strings of their own, the name in lower case", () => {
    const remembered = remembering("X-A: 1\r\n");
    expect([remembered.nameAt(0), remembered.valueAt(0)]).toEqual(["x-a", "1"]);
    remembered.keep(0, Buffer.from("X-B: 2\r\n"), 0, 8, parts);
    expect([remembered.nameAt(0), remembered.valueAt(0)]).toEqual(["x-b", "2"]);
  });

  it("are at most 16 of at most 128 octets", () => {
    const whole = `X-A: ${"1".repeat(121)}\r\n`;
    const found = (remembered: RememberedLines, place: number, text: string) =>
      remembered.find(place, Buffer.from(text), 0, text.length) !== undefined;
    expect(found(remembering(whole, 15), 15, whole)).toBe(true);
    expect(found(remembering(whole, 16), 16, whole)).toBe(false);
    const longer = `X-A: ${"1".repeat(122)}\r\n`;
    const remembered = remembering(whole);
    remembered.keep(0, Buffer.from(longer), 0, longer.length, parts);
    expect([found(remembered, 0, longer), found(remembered, 0, whole)]).toEqual([false, false]);
  });
});
