import fc from "fast-check";
import { expect, it } from "vitest";
import { formatDuration, parseDuration } from "../../model/duration.ts";

it.each([
  ["0s", 0],
  ["1h", 3_600_000],
  ["500ms", 500],
  ["1m30s", 90_000],
  ["1h30m10s500ms", 5_410_500],
  ["1s1s", 2000],
  ["99999h59m59s999ms", 359_999_999_999],
])("reads %s as %d ms", (text, ms) => {
  expect(parseDuration(text)).toEqual({ ok: true, value: ms });
});

it.each([
  "",
  "0",
  "10",
  "10 parsecs",
  "1.5s",
  "-1s",
  "+1s",
  "1d",
  "1us",
  " 1s",
  "1s ",
  "100000s",
  "1h1m1s1ms1ms",
  "1S",
])("refuses %j and names it", (text) => {
  const result = parseDuration(text);
  expect(result).toEqual({
    ok: false,
    error: `must be a duration such as 1h30m, 10s or 500ms, got ${JSON.stringify(text)}`,
  });
});

it("writes what it reads", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99_999 * 3_600_000 + 3_599_999 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms });
    }),
  );
  expect(formatDuration(90_000)).toBe("1m30s");
});
