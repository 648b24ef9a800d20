/** How one try of a request ended, as far as policies look at it. */

import type { ErrorCode, Processed } from "./errors.ts";

export type TryOutcome =
  | {
      readonly kind: "answer";
      readonly status: number;
      /** Only if it came trailers-only or together with the head: a head is never held back to wait for it. */
      readonly grpcStatus?: number;
      /** From `Retry-After`, see `parseRetryAfter`. */
      readonly retryAfterMs?: number;
      /** A hop further down says that it has retried already (`tulle-retried`). */
      readonly retriedBelow: boolean;
    }
  | { readonly kind: "failure"; readonly code: ErrorCode; readonly processed: Processed };

/** Status codes by name: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;
