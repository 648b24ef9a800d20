import { reasonOf } from "../control-plane/source/folder-listing.ts";

/**
 * An error that the user has to fix, or the machine's fault, before a command can run: an unreadable folder, a port in use.
 * `cli/main.ts` prints its message as one line and exits with 2; no stack trace, because it is not a bug.
 */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}

/** The error for a user's file that can't be read, worded alike in all commands. */
export function unreadable(path: string, error: unknown): UsageError {
  return new UsageError(`${path}: cannot be read: ${reasonOf(error)}`, { cause: error });
}

/** The code of a failed system call (`ENOENT`, `EADDRINUSE`), or undefined for any other failure. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
