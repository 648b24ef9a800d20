import { Writable } from "node:stream";
import { expect, it } from "vitest";
import { LineOutput } from "../../../cli/tap/line-output.ts";

it("keeps a little for a reader who pauses, leaves out the rest, and says how much that was", () => {
  const lines: string[] = [];
  let resume: (() => void) | undefined;
  const paused = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(String(chunk));
      if (resume === undefined) resume = done;
      else done();
    },
  });
  const leftOut: number[] = [];
  const output = new LineOutput(paused, (count) => leftOut.push(count));
  const line = "x".repeat(1023);
  const written = Array.from({ length: 5_000 }, () => output.write(line)).filter(Boolean).length;
  expect(written).toBe(1_024);
  expect(leftOut).toEqual([]);
  resume?.();
  expect(output.write("again")).toBe(true);
  expect(leftOut).toEqual([5_000 - 1_024]);
  expect(output.write("and again")).toBe(true);
  expect(leftOut).toHaveLength(1);
  expect(lines).toHaveLength(1_024 + 2);
});
