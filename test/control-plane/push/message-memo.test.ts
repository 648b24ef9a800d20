import { expect, it } from "vitest";
import { MessageMemo } from "../../../control-plane/push/message-memo.ts";
import type { SidecarMessage } from "../../../proto/generated/tulle/v1/SidecarMessage.ts";
import { encodeMessage } from "../../../proto/wire.ts";

const ack = (name: string, version: string): SidecarMessage => ({
  ack: { resource: { kind: "RESOURCE_KIND_ENDPOINTS", name }, version },
});
const bytesOf = (message: SidecarMessage): Buffer => encodeMessage("SidecarMessage", message);

it("decodes one of many equal acks, and each that differs", () => {
  const memo = new MessageMemo();
  const first = memo.decode(bytesOf(ack("a", "1")));
  expect(first).toMatchObject(ack("a", "1"));
  expect(memo.decode(bytesOf(ack("a", "1")))).toBe(first);
  expect(memo.decode(bytesOf(ack("a", "2")))).toMatchObject(ack("a", "2"));
  expect(memo.decode(bytesOf(ack("é", "1")))).toMatchObject(ack("é", "1"));
});

it("keeps no more than a few of them, and nothing that is long or no ack", () => {
  const memo = new MessageMemo();
  const first = memo.decode(bytesOf(ack("a", "0")));
  for (let version = 1; version <= 256; version++) memo.decode(bytesOf(ack("a", String(version))));
  expect(memo.decode(bytesOf(ack("a", "0")))).not.toBe(first);
  for (const message of [ack("x".repeat(700), "1"), { hello: { pod: "a" } }])
    expect(memo.decode(bytesOf(message))).not.toBe(memo.decode(bytesOf(message)));
});

it("throws where the bytes are no message", () => {
  expect(() => new MessageMemo().decode(Buffer.from([0x22, 0x05]))).toThrow(RangeError);
});
