/** The scalar values of resources: numbers, strings, durations, Kubernetes names. */

import { durationPattern, formatDuration, parseDuration } from "../duration.ts";
import { compileRegex } from "../regex.ts";
import { type OpenApiSchema, Schema, show } from "./schema.ts";

interface Range {
  readonly min: number;
  readonly max: number;
}

export function integer(range: Range): Schema<number> {
  return new Schema<number>({ type: "integer", minimum: range.min, maximum: range.max }, (value, at) => {
    if (typeof value !== "number" || !Number.isInteger(value))
      return at.fail(`must be a whole number, got ${show(value)}`);
    const problem = outside(range, value, String);
    return problem === undefined ? value : at.fail(problem);
  });
}

/** Fractions are allowed. */
export function number(range: Range): Schema<number> {
  return new Schema<number>({ type: "number", minimum: range.min, maximum: range.max }, (value, at) => {
    if (typeof value !== "number" || Number.isNaN(value)) return at.fail(`must be a number, got ${show(value)}`);
    const problem = outside(range, value, String);
    return problem === undefined ? value : at.fail(problem);
  });
}

export function boolean(): Schema<boolean> {
  return new Schema<boolean>({ type: "boolean" }, (value, at) => {
    return typeof value === "boolean" ? value : at.fail(`must be true or false, got ${show(value)}`);
  });
}

/** Written as in GEP-2257, read as milliseconds; the bounds are in ms too. */
export function duration(range: Range): Schema<number> {
  const { min, max } = boundsOf(range);
  return new Schema<number>(
    durationSchema(`duration(self) >= ${min} && duration(self) <= ${max}`, range),
    (value, at) => {
      // A bare 10 would mean seconds to some and milliseconds to others.
      const ms = parseDuration(typeof value === "string" ? value : "");
      if (!ms.ok) return at.fail(`must be a duration such as 1h30m, 10s or 500ms, got ${show(value)}`);
      const problem = outside(range, ms.value, formatDuration);
      return problem === undefined ? ms.value : at.fail(problem);
    },
    { write: formatDuration },
  );
}

/** Like `duration`, except that `0s` means off: undefined. */
export function limit(range: Range): Schema<number | undefined> {
  const { min, max } = boundsOf(range);
  const orOff = duration({ min: 0, max: range.max });
  return new Schema<number | undefined>(
    durationSchema(`duration(self) == duration('0s') || (duration(self) >= ${min} && duration(self) <= ${max})`, range),
    (value, at) => {
      const ms = orOff.read(value, at);
      if (ms === undefined || ms === 0) return undefined;
      const problem = outside(range, ms, formatDuration);
      return problem === undefined ? ms : at.fail(problem);
    },
    { write: formatDuration },
  );
}

/** Four times five digits and a unit. The API server requires a maximum length for values that its rules compute with. */
const maxDurationLength = 28;

function durationSchema(rule: string, range: Range): OpenApiSchema {
  const message = `must be from ${formatDuration(range.min)} to ${formatDuration(range.max)}`;
  return {
    type: "string",
    pattern: durationPattern,
    maxLength: maxDurationLength,
    "x-kubernetes-validations": [{ rule, message }],
  };
}

function boundsOf({ min, max }: Range): { min: string; max: string } {
  return { min: `duration('${formatDuration(min)}')`, max: `duration('${formatDuration(max)}')` };
}

interface TextOptions {
  readonly pattern?: string;
  /** What the pattern means: `a DNS label`. */
  readonly says?: string;
  readonly minLength?: number;
  readonly maxLength: number;
}

export function text({ pattern, says, minLength = 1, maxLength }: TextOptions): Schema<string> {
  const regex = pattern === undefined ? undefined : new RegExp(pattern);
  return new Schema<string>({ type: "string", minLength, maxLength, ...(pattern && { pattern }) }, (value, at) => {
    if (typeof value !== "string") return at.fail(`must be a string, got ${show(value)}`);
    if (value.length < minLength) return at.fail("must not be empty");
    if (value.length > maxLength) return at.fail(`must have at most ${maxLength} characters, got ${value.length}`);
    if (regex !== undefined && !regex.test(value)) return at.fail(`must be ${says}, got ${show(value)}`);
    return value;
  });
}

/** A regular expression in RE2 syntax. */
export function regex(): Schema<string> {
  return new Schema<string>({ type: "string", minLength: 1, maxLength: 1024 }, (value, at) => {
    if (typeof value !== "string") return at.fail(`must be a string, got ${show(value)}`);
    const compiled = compileRegex(value);
    return compiled.ok ? value : at.fail(compiled.error);
  });
}

const dnsLabel = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

/** The name of a Service or a namespace (RFC 1123 label). */
export function labelName(): Schema<string> {
  return text({ pattern: `^${dnsLabel}$`, maxLength: 63, says: "a name of lower-case letters, digits and dashes" });
}

/** The name of most other objects (RFC 1123 subdomain). */
export function objectName(): Schema<string> {
  return text({
    pattern: `^${dnsLabel}(\\.${dnsLabel})*$`,
    maxLength: 253,
    says: "a name of lower-case letters, digits, dashes and dots",
  });
}

/** A header field's name, read in lower case (RFC 9110, section 5.1). */
export function headerName(): Schema<string> {
  return text({
    pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    maxLength: 256,
    says: "the name of a header",
  }).map((name) => name.toLowerCase());
}

export function port(): Schema<number> {
  return integer({ min: 1, max: 65_535 });
}

function outside(range: Range, value: number, write: (value: number) => string): string | undefined {
  if (value < range.min) return `must be at least ${write(range.min)}, got ${write(value)}`;
  if (value > range.max) return `must be at most ${write(range.max)}, got ${write(value)}`;
  return undefined;
}
