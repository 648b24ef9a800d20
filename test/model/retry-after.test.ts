import { expect, it } from "vitest";
import { parseRetryAfter } from "../../model/retry-after.ts";

const now = Date.UTC(1994, 10, 6, 8, 49, 30);

it.each([
  ["120", 120_000],
  ["0", 0],
  ["Sun, 06 Nov 1994 08:49:37 GMT", 7000],
  ["Sunday, 06-Nov-94 08:49:37 GMT", 7000],
  ["Sun Nov  6 08:49:37 1994", 7000],
  ["Sun, 06 Nov 1994 08:49:00 GMT", 0],
])("reads %j", (value, ms) => {
  expect(parseRetryAfter(value, now)).toBe(ms);
});

it.each(["", "-1", "1.5", "soon", "1 s", "9999999999", "1994-11-06T08:49:37Z", "Sun, 99 Nov 1994 08:49:37 GMT"])(
  "ignores %j",
  (value) => {
    expect(parseRetryAfter(value, now)).toBeUndefined();
  },
);
