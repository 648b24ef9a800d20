import { expect, it } from "vitest";
import { compileRegex } from "../../model/regex.ts";
import { cpuMsOf } from "../support/cpu-time.ts";

function matches(pattern: string, text: string): boolean {
  const regex = compileRegex(pattern);
  if (!regex.ok) throw new Error(regex.error);
  return regex.value.matches(text);
}

it("matches the whole text or not at all", () => {
  expect(matches("/v[0-9]+/.*", "/v12/x")).toBe(true);
  expect(matches("v1", "/v1")).toBe(false);
  expect(matches("a|ab", "ab")).toBe(true);
});

it("takes linear time where backtracking does not", () => {
  const tookMs = cpuMsOf(() => {
    expect(matches("(a+)+$", `${"a".repeat(20_000)}b`)).toBe(false);
    expect(matches("(.*)*x", "y".repeat(20_000))).toBe(false);
  });
  expect(tookMs).toBeLessThan(2_000);
});

it.each(["(", "[a", "a{2,1}", "(?=a)", "\\1", "a**"])("refuses %j with the pattern in the message", (pattern) => {
  const regex = compileRegex(pattern);
  const says = `must be a regular expression in RE2 syntax, got ${JSON.stringify(pattern)}`;
  expect(regex).toMatchObject({ ok: false, error: expect.stringContaining(says) as string });
});

it("refuses patterns that are too long or would grow too large", () => {
  expect(compileRegex("a".repeat(1025))).toEqual({ ok: false, error: "must have at most 1024 characters, got 1025" });
  expect(compileRegex("((a{100}){100}){100}").ok).toBe(false);
});
