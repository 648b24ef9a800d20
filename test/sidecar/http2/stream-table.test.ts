import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Http2Stream } from "../../../sidecar/http2/stream.ts";
import { StreamTable } from "../../../sidecar/http2/stream-table.ts";

const stream = (id: number) => ({ id }) as Http2Stream;

describe("a stream table", () => {
  it("finds what a Map would find, whatever is added and removed", () => {
    const id = fc.oneof(
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 0, max: 20 }).map((n) => n * 64),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(id, fc.boolean()), { maxLength: 300 }), (steps) => {
        const table = new StreamTable();
        const known = new Map<number, Http2Stream>();
        for (const [step, adds] of steps) {
          const id = step * 2 + 1;
          if (adds && !known.has(id)) {
            const one = stream(id);
            known.set(id, one);
            table.add(one);
          } else if (!adds) {
            known.delete(id);
            table.delete(id);
          }
          expect(table.size).toBe(known.size);
          for (const asked of [id, id + 2, id + 32]) expect(table.get(asked)).toBe(known.get(asked));
        }
        const ids = (streams: Iterable<Http2Stream>) => Array.from(streams, (one) => one.id).sort((a, b) => a - b);
        expect(ids(table.values())).toEqual(ids(known.values()));
      }),
    );
  });

  it("lets streams be deleted during iteration", () => {
    const table = new StreamTable();
    for (const id of [1, 3, 5, 7]) table.add(stream(id));
    for (const { id } of table.values()) table.delete(id);
    expect(table.size).toBe(0);
  });
});
