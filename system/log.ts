/** Structured logs: one JSON object per line, with a constant message and separate fields. Never a key, a token or a body. */

/** From the least severe up. */
export const logLevels = ["debug", "info", "warn", "error"] as const;

export type LogLevel = (typeof logLevels)[number];

/** The least severe level that is written. It can be changed at any time. */
export interface LogThreshold {
  level: LogLevel;
}

export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** `log("warn", "certificate not renewed", { reason })`: the message never varies, so that it can be searched for. */
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

/** Writes lines of at least the threshold's level with `write`. */
export function jsonLog(component: string, threshold: LogThreshold, write: (line: string) => void): Log {
  return (level, message, fields) => {
    if (logLevels.indexOf(level) < logLevels.indexOf(threshold.level)) return;
    write(`${JSON.stringify({ time: new Date().toISOString(), level, component, message, ...fields })}\n`);
  };
}

/** What went wrong, as the value of a field, including the causes behind it. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`;
}

export function isLogLevel(text: string | undefined): text is LogLevel {
  return logLevels.some((level) => level === text);
}
