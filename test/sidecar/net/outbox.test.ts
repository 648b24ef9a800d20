import { describe, expect, it } from "vitest";
import { Outbox, type OutboxTarget } from "../../../sidecar/net/outbox.ts";

/** A kernel that takes bytes when it is told to. */
class HandTarget implements OutboxTarget {
  destroyed = false;
  readonly writes: Buffer[] = [];
  readonly #written: (() => void)[] = [];

  write(chunk: Buffer, written: () => void): boolean {
    this.writes.push(Buffer.from(chunk));
    this.#written.push(written);
    return true;
  }

  take(): void {
    for (const written of this.#written.splice(0)) written();
  }

  get text(): string {
    return Buffer.concat(this.writes).toString("latin1");
  }
}

const endOfTick = () => new Promise<void>((resolve) => setImmediate(resolve));
const bufferBytes = 64 * 1024;

function outbox(options: { highWaterBytes?: number } = {}) {
  const target = new HandTarget();
  let drains = 0;
  const box = new Outbox(target, () => drains++, options);
  return { box, target, drains: () => drains };
}

describe("what one tick writes", () => {
  it("leaves in one write at its end", async () => {
    const { box, target } = outbox();
    for (const word of ["one ", "two ", "three"]) box.append(Buffer.from(word));
    expect(target.writes).toEqual([]);
    await endOfTick();
    expect(target.writes.map(String)).toEqual(["one two three"]);
    expect(box.flushes).toBe(1);
  });

  it("leaves only once if it was flushed before", async () => {
    const { box, target } = outbox();
    box.append(Buffer.from("one"));
    box.flush();
    box.flush();
    await endOfTick();
    expect(target.writes.map(String)).toEqual(["one"]);
  });

  it("waits while a write is in progress, and leaves in one write after it", async () => {
    const { box, target } = outbox();
    box.append(Buffer.from("one"));
    await endOfTick();
    for (const word of ["two ", "three"]) {
      box.append(Buffer.from(word));
      await endOfTick();
    }
    expect(target.writes.map(String)).toEqual(["one"]);
    target.take();
    expect(target.writes.map(String)).toEqual(["one", "two three"]);
  });

  it("waits for another turn while each turn brings several messages, three times at most", async () => {
    const { box, target } = outbox();
    const turn = async (...messages: readonly string[]) => {
      for (const message of messages) {
        box.beginMessage();
        box.append(Buffer.from(message));
      }
      await endOfTick();
      return target.writes.map(String);
    };
    expect(await turn("lone ")).toEqual(["lone "]);
    target.take();
    expect(await turn("a", "b")).toEqual(["lone "]);
    expect(await turn()).toEqual(["lone ", "ab"]);
    target.take();
    expect(await turn("c", "d")).toHaveLength(2);
    expect(await turn("e", "f")).toHaveLength(2);
    expect(await turn("g")).toEqual(["lone ", "ab", "cdefg"]);
    target.take();
    for (let extraTurns = 0; extraTurns < 3; extraTurns++) expect(await turn("h", "i")).toHaveLength(3);
    expect(await turn("j", "k")).toEqual(["lone ", "ab", "cdefg", "hihihijk"]);
  });

  it("leaves one buffer after the other if there are several", async () => {
    const { box, target } = outbox();
    box.append(Buffer.alloc(2 * bufferBytes, "a"));
    box.append(Buffer.from("rest"));
    await endOfTick();
    const sizes = () => target.writes.map(({ length }) => length);
    expect([sizes(), box.unsentBytes]).toEqual([[bufferBytes], 2 * bufferBytes + 4]);
    target.take();
    expect([sizes(), box.unsentBytes]).toEqual([[bufferBytes, bufferBytes], bufferBytes + 4]);
    target.take();
    expect([sizes(), box.unsentBytes]).toEqual([[bufferBytes, bufferBytes, 4], 4]);
    target.take();
    expect(box.unsentBytes).toBe(0);
  });

  it("does not wait, and neither do full buffers, if the connection ends after it", async () => {
    const { box, target } = outbox();
    box.append(Buffer.from("one"));
    await endOfTick();
    box.append(Buffer.alloc(bufferBytes, "a"));
    box.append(Buffer.from("last"));
    box.flush();
    expect(target.writes.map(({ length }) => length)).toEqual([3, bufferBytes, 4]);
    expect(target.text.endsWith("alast")).toBe(true);
  });

  it("may be serialised in place, and return its last bytes", () => {
    const { box, target } = outbox();
    box.append(Buffer.from("ab"));
    const at = box.reserve(10);
    expect(at).toBe(2);
    box.buffer.write("cd", at, "latin1");
    box.unreserve(8);
    box.flush();
    expect(target.text).toBe("abcd");
  });

  it.each([0, 1, bufferBytes - 1, bufferBytes, bufferBytes + 1, 3 * bufferBytes + 7])(
    "arrives whole and in order around an append of %d bytes",
    async (length) => {
      const { box, target } = outbox();
      const big = Buffer.from(Array.from({ length }, (_, index) => (index * 31) & 0xff));
      box.append(Buffer.from("before"));
      box.append(big);
      box.append(Buffer.from("behind"));
      await endOfTick();
      while (box.unsentBytes > 0) target.take();
      const sent = Buffer.concat(target.writes);
      expect(sent.equals(Buffer.concat([Buffer.from("before"), big, Buffer.from("behind")]))).toBe(true);
    },
  );

  it("accepts one piece of at most a buffer", () => {
    const { box } = outbox();
    expect(box.reserve(bufferBytes)).toBe(0);
    expect(() => box.reserve(bufferBytes + 1)).toThrow(RangeError);
    box.flush();
  });
});

describe("a buffer", () => {
  it("is not reused before the kernel has it", () => {
    const { box, target } = outbox();
    box.append(Buffer.from("one"));
    const first = box.buffer;
    box.flush();
    box.append(Buffer.from("two"));
    expect(box.buffer).not.toBe(first);
    box.flush();
    target.take();
    expect(target.text).toBe("onetwo");
  });

  it("can be reused once the kernel has it", () => {
    const one = outbox();
    one.box.append(Buffer.from("one"));
    const { buffer } = one.box;
    one.box.flush();
    expect(one.box.buffer).toHaveLength(0); // an idle connection holds none
    one.target.take();
    const another = outbox();
    another.box.append(Buffer.from("two"));
    expect(another.box.buffer).toBe(buffer);
    another.box.flush();
    another.target.take();
  });

  it("can be reused at once if the target is gone, and nothing is written", () => {
    const { box, target } = outbox();
    target.destroyed = true;
    box.append(Buffer.from("one"));
    const { buffer } = box;
    box.flush();
    expect(target.writes).toEqual([]);
    expect(box.unsentBytes).toBe(0);
    const another = outbox();
    another.box.append(Buffer.from("two"));
    expect(another.box.buffer).toBe(buffer);
    another.box.flush();
    another.target.take();
  });
});

describe("congestion", () => {
  it("begins at the high-water mark, and ends once, when the kernel has everything", () => {
    const { box, target, drains } = outbox({ highWaterBytes: 8 });
    box.append(Buffer.alloc(7));
    expect([box.congested, box.unsentBytes]).toEqual([false, 7]);
    box.append(Buffer.alloc(1));
    expect([box.congested, box.unsentBytes]).toEqual([true, 8]);
    box.flush();
    box.append(Buffer.alloc(2));
    target.take();
    expect([box.congested, box.unsentBytes, drains()]).toEqual([true, 2, 0]);
    box.flush();
    target.take();
    expect([box.congested, box.unsentBytes, drains()]).toEqual([false, 0, 1]);
  });

  it("reports no drain to a writer that was not asked to stop", () => {
    const { box, target, drains } = outbox({ highWaterBytes: 8 });
    box.append(Buffer.alloc(7));
    box.flush();
    target.take();
    expect(drains()).toBe(0);
  });
});
