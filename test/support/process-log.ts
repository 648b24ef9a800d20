/** The log of one of our processes, read back while it runs. */

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export type LogLine = Readonly<Record<string, unknown>>;

/** As they come. What is none, a stack trace or a line that a kill has cut short, stands as the `message` of one. */
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
    // Said below.
  }
  return { message: text };
}
