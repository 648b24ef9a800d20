/**
 * Durations as users write them: Gateway API's format, `1h30m`, `10s`, `500ms` (GEP-2257,
 * https://gateway-api.sigs.k8s.io/geps/gep-2257/). Inside Tulle a duration is a number of milliseconds.
 */

import { err, ok, type Result } from "./result.ts";

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
/** Largest first: the order in which they are written. */
const units = ["h", "m", "s", "ms"] as const;

/** The whole format, as the GEP gives it; also the pattern in the resource definitions. */
export const durationPattern = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

const wellFormed = new RegExp(durationPattern);
const part = /([0-9]{1,5})(ms|h|m|s)/g;

/** Milliseconds; `0s` is 0. The error says what is allowed and what was there. */
export function parseDuration(text: string): Result<number, string> {
  if (!wellFormed.test(text)) {
    return err(`must be a duration such as 1h30m, 10s or 500ms, got ${JSON.stringify(text)}`);
  }
  let ms = 0;
  for (const [, digits, unit] of text.matchAll(part)) ms += Number(digits) * (unitMs[unit ?? ""] ?? 0);
  return ok(ms);
}

/** The shortest way to write `ms`, a whole number from 0 up to 99999h59m59s999ms. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let text = "";
  let rest = ms;
  for (const unit of units) {
    const size = unitMs[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count === 0) continue;
    text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
