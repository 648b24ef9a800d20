/** As what a connection that could not be made is told: where there is no such name, no endpoint was ever asked. */

import type { ErrorCode } from "../../model/errors.ts";

/** `cause`: what the socket said. A resolver that has no answer just now (`EAI_AGAIN`) has said nothing about the name. */
export function connectFailureCode(cause: unknown): ErrorCode {
  const isUnknown = cause instanceof Error && "code" in cause && cause.code === "ENOTFOUND";
  return isUnknown ? "destination_unknown" : "connect_failed";
}
