/** Which traces are recorded. */

/**
 * Whether a trace is, at a ratio from 0 to 1. It depends on the trace id alone, so that all sidecars agree, and who samples
 * more records all that others do (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/: the
 * last 56 bits of the id are its randomness). `traceId`: 32 hex digits.
 */
export function isSampled(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true;
  if (ratio <= 0) return false;
  // Of the 56 bits the upper 52: a double holds no more, and they are finer than any ratio.
  const randomness = Number.parseInt(traceId.slice(18, 31), 16) / 2 ** 52;
  return randomness >= 1 - ratio;
}
