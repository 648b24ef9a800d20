import { expect, it } from "vitest";
import { suggest } from "../../../model/parse/suggest.ts";

const known = ["maxAttempts", "maxDelay", "initialDelay", "jitter"];

it.each([
  ["maxAttemps", "maxAttempts"],
  ["maxattempts", "maxAttempts"],
  ["maxDealy", "maxDelay"],
  ["jiter", "jitter"],
  ["intialDelay", "initialDelay"],
])("corrects %s to %s", (word, meant) => {
  expect(suggest(word, known)).toBe(meant);
});

it.each(["", "x", "retries", "weight", "m".repeat(10_000)])("has no suggestion for %s", (word) => {
  expect(suggest(word, known)).toBeUndefined();
});
