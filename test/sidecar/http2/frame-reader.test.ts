import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader, type FrameReceiver } from "../../../sidecar/http2/frame-reader.ts";
import type { Http2ErrorName } from "../../../sidecar/http2/frames.ts";
import { DATA, END_STREAM, frame, HEADERS, PADDED, preface, SETTINGS } from "./raw-peer.ts";

/** Writes down what it is given; DATA is joined, for its pieces depend on the network. */
class Recorder implements FrameReceiver {
  readonly events: string[] = [];
  isFailed = false;
  #data = Buffer.alloc(0);

  receiveFrame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    this.events.push(`frame ${type} ${flags} ${streamId} ${bytes.toString("hex", from, to)}`);
  }
  beginData(flags: number, streamId: number, length: number): void {
    this.events.push(`data ${flags} ${streamId} ${length}`);
    this.#data = Buffer.alloc(0);
  }
  receiveData(chunk: Buffer): void {
    if (chunk.length === 0) this.events.push("an empty chunk");
    this.#data = Buffer.concat([this.#data, chunk]);
  }
  endData(): void {
    this.events.push(`end ${this.#data.toString("hex")}`);
  }
  fail(error: Http2ErrorName): void {
    this.isFailed = true;
    this.events.push(error);
  }
}

function read(chunks: readonly Buffer[], expectsPreface = false): string[] {
  const recorder = new Recorder();
  const reader = new FrameReader(recorder, expectsPreface);
  for (const chunk of chunks) reader.read(chunk);
  return recorder.events;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((place, i) => bytes.subarray(place, places[i] ?? bytes.length));
}

const anyFrame = fc
  .tuple(fc.nat(12), fc.nat(255), fc.nat(0x7fffffff), fc.uint8Array({ maxLength: 40 }))
  .map(([type, flags, streamId, payload]) => frame(type, flags, streamId, Buffer.from(payload)));

it("reads the same frames wherever the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.array(fc.nat()), (frames, places) => {
      const bytes = Buffer.concat([preface, ...frames]);
      expect(read(cut(bytes, places), true)).toEqual(read([bytes], true));
    }),
    { numRuns: 1000 },
  );
});

it("reads the same frames byte by byte", () => {
  const bytes = Buffer.concat([
    preface,
    frame(SETTINGS, 0, 0),
    frame(HEADERS, 4, 1, Buffer.from("block")),
    frame(DATA, PADDED, 1, Buffer.from("\x03body\0\0\0", "latin1")),
    frame(DATA, PADDED | END_STREAM, 1, Buffer.from("\x02\0\0", "latin1")),
    frame(DATA, END_STREAM, 3),
  ]);
  const events = read([bytes], true);
  expect(events).toEqual([
    "frame 4 0 0 ",
    `frame 1 4 1 ${Buffer.from("block").toString("hex")}`,
    "data 8 1 8",
    `end ${Buffer.from("body").toString("hex")}`,
    "data 9 1 3",
    "end ",
    "data 1 3 0",
    "end ",
  ]);
  expect(
    read(
      [...bytes].map((byte) => Buffer.of(byte)),
      true,
    ),
  ).toEqual(events);
});

describe("fails on", () => {
  it.each([
    ["another protocol's first bytes", Buffer.from("GET / HTTP/1.1\r\n"), "PROTOCOL_ERROR"],
    [
      "a frame longer than 16 KiB",
      Buffer.concat([preface, Buffer.from([0, 64, 1, HEADERS, 0, 0, 0, 0, 1])]),
      "FRAME_SIZE_ERROR",
    ],
    ["padding longer than its frame", Buffer.concat([preface, frame(DATA, PADDED, 1, Buffer.of(1))]), "PROTOCOL_ERROR"],
    ["a padded frame without pad length", Buffer.concat([preface, frame(DATA, PADDED, 1)]), "FRAME_SIZE_ERROR"],
  ])("%s, and reads no further", (_name, bytes, error) => {
    expect(read([bytes, frame(SETTINGS, 0, 0)], true).at(-1)).toBe(error);
  });
});
