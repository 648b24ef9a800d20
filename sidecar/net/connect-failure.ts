/** The error code of a connection that could not be made: if the name is the problem, no endpoint was ever asked. */

import { type ErrorCode, MeshError } from "../../model/errors.ts";

/** `cause`: the socket's error. A resolver that has no answer at the moment (`EAI_AGAIN`) has said nothing about the name. */
export function connectFailureCode(cause: unknown): ErrorCode {
  if (cause instanceof MeshError) return cause.code;
  const isLookup = cause instanceof Error && "syscall" in cause && cause.syscall === "getaddrinfo";
  const isUnknown = isLookup && !("code" in cause && cause.code === "EAI_AGAIN");
  return isUnknown ? "destination_unknown" : "connect_failed";
}
