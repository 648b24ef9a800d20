/** The input of a program started by a test. */

import type { ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";

/**
 * The stream to which the program's input is written. The program may end before it has read all of it, or any: its exit code
 * says whether that was right. Any other write failure is reported by the program's "error" event.
 */
export function inputOf(program: ChildProcess & { readonly stdin: Writable }): Writable {
  program.stdin.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "ECONNRESET") program.emit("error", error);
  });
  return program.stdin;
}
