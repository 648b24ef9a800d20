/**
 * Structured logs: one JSON object a line, with a constant message to search for and what varies in fields beside it.
 * It never writes what looks like a secret, whatever it is given.
 */

import { MeshError } from "../../model/errors.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** Takes one line, its newline included. */
  readonly write: (line: string) => void;
  /** Unix time in ms. */
  readonly now: () => number;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** On every line: pod, workload. */
  readonly fields?: LogFields;
}

export function createLog(options: LogOptions): Log {
  const lowest = logLevels.indexOf(options.level ?? "info");
  const always = options.fields ?? {};
  function writer(level: LogLevel): (message: string, fields?: LogFields) => void {
    if (logLevels.indexOf(level) < lowest) return () => {};
    return (message, fields = {}) => {
      const time = new Date(options.now()).toISOString();
      options.write(`${JSON.stringify({ time, level, message, ...always, ...fields }, safely)}\n`);
    };
  }
  return { debug: writer("debug"), info: writer("info"), warn: writer("warn"), error: writer("error") };
}

const secretName = /authorization|cookie|password|passwd|secret|token|private[-_]?key|api[-_]?key/i;
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const redacted = "[redacted]";

/** For `JSON.stringify`: secrets go, errors and bigints become something that JSON can say. */
function safely(name: string, value: unknown): unknown {
  if (secretName.test(name) && value !== undefined) return redacted;
  if (typeof value === "string") return privateKey.test(value) ? redacted : value;
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) {
    const code = value instanceof MeshError ? { code: value.code } : {};
    const cause = value.cause === undefined ? {} : { cause: value.cause };
    return { name: value.name, message: value.message, ...code, ...cause };
  }
  return value;
}
