/** Structured logs: one JSON object a line, a constant message, fields apart. Never a key, a token or a body. */

export type LogLevel = "debug" | "info" | "warn" | "error";

export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** `log("warn", "certificate not renewed", { reason })`: the message never varies, so that it can be searched for. */
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

const severity: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Writes lines of at least `least` to `write`. */
export function jsonLog(component: string, least: LogLevel, write: (line: string) => void): Log {
  return (level, message, fields) => {
    if (severity[level] < severity[least]) return;
    write(`${JSON.stringify({ time: new Date().toISOString(), level, component, message, ...fields })}\n`);
  };
}

/** What went wrong, for a field; the causes behind it included. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`;
}
