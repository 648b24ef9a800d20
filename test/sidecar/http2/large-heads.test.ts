/** Threat 11: heads beyond the limit. */

import { describe, expect, it } from "vitest";
import { attackedServer } from "./attacked-server.ts";
import { block, END_HEADERS, END_STREAM, frame, get, HEADERS, indexedLiteral, type Pairs } from "./raw-peer.ts";

const target = attackedServer();

describe("threat 11: heads beyond the limit get 431, and the connection stays open", () => {
  const status = (payload: Buffer): string => payload.toString("latin1");

  it.each<[string, Pairs]>([
    ["101 fields", Array.from({ length: 101 }, (_, i) => [`x-${i}`, "1"] as const)],
    ["2,500 small fields", Array.from({ length: 2500 }, () => ["x", "1"] as const)],
    ["one huge field", [["x", "y".repeat(40_000)]]],
    ["cookie crumbs", Array.from({ length: 900 }, () => ["cookie", "a=1"] as const)],
  ])("%s", async (_name, fields) => {
    await target.start();
    target.peer.sendHead(1, block([...get, ...fields]));
    const head = await target.peer.receiveType(HEADERS, 1);
    expect(status(head?.payload ?? Buffer.alloc(0))).toContain("431");
    expect([target.exchanges, target.refused]).toEqual([[], ["head_too_large"]]);
    expect(await target.serves(3)).toBe(true);
  });

  it("an HPACK bomb: few octets on the wire, many when decoded", async () => {
    await target.start();
    const bomb = Buffer.concat([
      block(get),
      indexedLiteral("x", "y".repeat(4000)),
      Buffer.alloc(12_000, 0x80 | 62), // the same 4,033 octets 12,000 times
    ]);
    target.peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, bomb));
    const head = await target.peer.receiveType(HEADERS, 1);
    expect(status(head?.payload ?? Buffer.alloc(0))).toContain("431");
    // The table is in step: the entry that the refused head made can be referred to.
    target.peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, Buffer.concat([block(get), Buffer.of(0x80 | 62)])));
    await target.peer.receiveType(HEADERS, 3);
    expect(target.exchanges[0]?.headers.get("x")).toHaveLength(4000);
  });

  it("bombs without end are a flood", async () => {
    await target.start();
    target.peer.send(
      frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([block(get), indexedLiteral("x", "y".repeat(4000))])),
    );
    const bomb = Buffer.concat([block(get), Buffer.alloc(20, 0x80 | 62)]);
    for (let id = 3; id < 2 * 3000; id += 2) target.peer.send(frame(HEADERS, END_HEADERS | END_STREAM, id, bomb));
    expect(await target.calms()).toBe(true);
    expect(target.exchanges).toHaveLength(1);
  });
});
