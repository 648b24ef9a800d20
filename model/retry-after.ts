/** The `Retry-After` field (RFC 9110, section 10.2.3). */

const delaySeconds = /^[0-9]{1,9}$/;
/** The three forms of an HTTP date (section 5.6.7); only the first is still written. */
const httpDates = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/**
 * Milliseconds to wait, 0 for a date that has passed; undefined: neither seconds nor a date, to be ignored.
 * `nowUnixMs` is wall-clock time, in ms since 1970.
 */
export function parseRetryAfter(value: string, nowUnixMs: number): number | undefined {
  if (delaySeconds.test(value)) return Number(value) * 1000;
  if (!httpDates.some((form) => form.test(value))) return undefined;
  const at = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowUnixMs);
}
