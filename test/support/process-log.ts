/** The log of one of our processes, parsed while it runs. */

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export type LogLine = Readonly<Record<string, unknown>>;

/**
 * Lines as they arrive. Text that is not a log line, such as a stack trace or a line cut short by a kill, becomes the `message`
 * of one.
 */
export function collectLog(output: Readable): readonly LogLine[] {
  const lines: LogLine[] = [];
  createInterface(output).on("line", (text) => lines.push(readLine(text)));
  return lines;
}

function readLine(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Handled below.
  }
  return { message: text };
}
