/** As what a connection that could not be made is told: where the name is the trouble, no endpoint was ever asked. */

import { type ErrorCode, MeshError } from "../../model/errors.ts";

/** `cause`: what the socket said. A resolver that has no answer just now (`EAI_AGAIN`) has said nothing about the name. */
export function connectFailureCode(cause: unknown): ErrorCode {
  if (cause instanceof MeshError) return cause.code;
  const isLookup = cause instanceof Error && "syscall" in cause && cause.syscall === "getaddrinfo";
  const isUnknown = isLookup && !("code" in cause && cause.code === "EAI_AGAIN");
  return isUnknown ? "destination_unknown" : "connect_failed";
}
