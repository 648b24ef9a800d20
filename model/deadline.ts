/**
 * The remaining time as it is passed from hop to hop: the value of `grpc-timeout`, and of `tulle-deadline`
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md: at most eight digits and a unit).
 *
 * The value passed on never exceeds the remaining time, so that rounding over many hops can't lengthen a deadline.
 */

const maxLength = "99999999H".length;
const maxDigits = 99_999_999;

/** Remaining milliseconds, with fractions; undefined: invalid, and to be ignored. */
export function parseRemaining(value: string): number | undefined {
  const digits = value.length - 1;
  const unit = unitMs(value[digits] ?? "");
  if (unit === undefined || digits < 1 || value.length > maxLength) return undefined;
  let amount = 0;
  for (let i = 0; i < digits; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    amount = amount * 10 + digit;
  }
  return amount * unit;
}

function unitMs(unit: string): number | undefined {
  switch (unit) {
    case "H":
      return 3_600_000;
    case "M":
      return 60_000;
    case "S":
      return 1000;
    case "m":
      return 1;
    case "u":
      return 1e-3;
    case "n":
      return 1e-6;
    default:
      return undefined;
  }
}

/** The largest value in this syntax that does not exceed `remainingMs`; `0m` only for less than 1 µs. */
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
