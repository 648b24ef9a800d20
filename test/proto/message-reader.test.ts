import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { framed, MessageReader } from "../../proto/message-reader.ts";

function reader(maxMessageBytes = 1_000) {
  const messages: string[] = [];
  return { messages, reader: new MessageReader(maxMessageBytes, (message) => messages.push(message.toString())) };
}

describe("messages", () => {
  it("are complete, wherever the network cut them", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 })), fc.array(fc.integer({ min: 1, max: 9 })), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map((message) => framed(Buffer.from(message))));
        const { messages, reader: cut } = reader();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const to = at + (cuts[i % cuts.length] ?? bytes.length);
          expect(cut.read(bytes.subarray(at, to))).toBeUndefined();
          at = to;
        }
        expect(messages).toEqual(sent.map((message) => Buffer.from(message).toString()));
        expect(cut.isMidMessage).toBe(false);
      }),
    );
  });

  it("may be empty", () => {
    const { messages, reader: one } = reader();
    one.read(framed(Buffer.alloc(0)));
    expect(messages).toEqual([""]);
  });
});

describe("what is refused", () => {
  it("a compressed message", () => {
    expect(reader().reader.read(Buffer.of(1, 0, 0, 0, 1, 7))).toMatchObject({ kind: "compressed" });
  });

  it("a message above the limit, before memory is allocated for it", () => {
    const { messages, reader: one } = reader(10);
    expect(one.read(framed(Buffer.alloc(10)))).toBeUndefined();
    expect(one.read(Buffer.of(0, 0xff, 0xff, 0xff, 0xff))).toEqual({
      kind: "message_size",
      says: "a message of 4294967295 bytes",
    });
    expect(messages).toHaveLength(1);
  });
});

it("knows that a message is incomplete", () => {
  const { reader: one } = reader();
  one.read(framed(Buffer.from("abc")).subarray(0, 3));
  expect(one.isMidMessage).toBe(true);
});

it("allocates memory for what has arrived, not for what a length claims", () => {
  const { messages, reader: one } = reader(64 * 1024 * 1024);
  const text = "x".repeat(100_000);
  const sent = framed(Buffer.from(text));
  one.read(Buffer.of(0, 3, 0, 0, 0));
  expect(one.heldBytes).toBeLessThan(100_000);
  const { messages: whole, reader: two } = reader(100_000);
  for (let at = 0; at < sent.length; at += 7_000) two.read(sent.subarray(at, at + 7_000));
  expect(whole).toEqual([text]);
  expect(two.heldBytes).toBe(0);
  expect(messages).toEqual([]);
});
