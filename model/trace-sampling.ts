/** Which traces are recorded. */

/**
 * Whether a trace is, at a ratio from 0 to 1. It depends on the trace id alone, so that all sidecars agree, and who samples
 * more records all that others do (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/: the
 * last 56 bits of the id are its randomness). `traceId`: 32 hex digits.
 */
export function isTraceSampled(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true;
  if (ratio <= 0) return false;
  // Of the 56 bits the upper 28: they fit a small integer, and are finer than any ratio that people set.
  return Number.parseInt(traceId.slice(18, 25), 16) >= (1 - ratio) * 2 ** 28;
}
