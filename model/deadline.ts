/**
 * The time that is left, as it travels from hop to hop: the value of `grpc-timeout`, and of `tulle-deadline`
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md: at most eight digits and a unit).
 *
 * What is sent on never exceeds what was left, so that rounding over many hops can't lengthen a deadline.
 */

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const syntax = /^([0-9]{1,8})([HMSmun])$/;
const maxDigits = 99_999_999;

/** Milliseconds left, with fractions; undefined: not in the syntax, and to be ignored. */
export function parseRemaining(value: string): number | undefined {
  const match = syntax.exec(value);
  if (match === null) return undefined;
  return Number(match[1]) * (unitMs[match[2] ?? ""] ?? 0);
}

/** The largest value of the syntax that is not more than `remainingMs`; `0m` only for what is late (under 1 µs). */
export function formatRemaining(remainingMs: number): string {
  const us = Math.floor(remainingMs * 1000);
  if (us <= 0) return "0m";
  if (us <= maxDigits) return `${us}u`;
  const ms = Math.floor(remainingMs);
  if (ms <= maxDigits) return `${ms}m`;
  const seconds = Math.floor(remainingMs / 1000);
  if (seconds <= maxDigits) return `${seconds}S`;
  return `${Math.min(Math.floor(remainingMs / 3_600_000), maxDigits)}H`;
}
