import type { Log, LogFields, LogLevel } from "../../system/log.ts";

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that a test can read. */
export class RecordedLog {
  readonly lines: LogLine[] = [];
  readonly write: Log = (level, message, fields = {}) => {
    this.lines.push({ level, message, fields });
  };

  get messages(): string[] {
    return this.lines.map(({ message }) => message);
  }
}
