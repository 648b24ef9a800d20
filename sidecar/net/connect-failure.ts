/** As what a connection that could not be made is told: where the name is the trouble, no endpoint was ever asked. */

import type { ErrorCode } from "../../model/errors.ts";

/** `cause`: what the socket said. */
export function connectFailureCode(cause: unknown): ErrorCode {
  const isLookup = cause instanceof Error && "syscall" in cause && cause.syscall === "getaddrinfo";
  return isLookup ? "destination_unknown" : "connect_failed";
}
