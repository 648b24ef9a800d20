/** The input of a program that a test has started. */

import type { ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";

/**
 * Where to write what it is to read. It may end before it has read all, or anything: its exit code says whether it should
 * have. Any other failure to write is told as one of the program's, by its "error".
 */
export function inputOf(program: ChildProcess & { readonly stdin: Writable }): Writable {
  program.stdin.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "ECONNRESET") program.emit("error", error);
  });
  return program.stdin;
}
