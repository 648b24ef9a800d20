/** How a gRPC call ends (https://grpc.io/docs/guides/status-codes/). */

export const grpcCodes = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

const names = new Map<number, string>(Object.entries(grpcCodes).map(([name, code]) => [code, name]));

/** `UNAVAILABLE` for 14. A number that is not a status is `UNKNOWN`, as for gRPC's clients. */
export function grpcStatusName(code: number): string {
  return names.get(code) ?? "UNKNOWN";
}

const failures: ReadonlySet<number> = new Set([
  grpcCodes.UNKNOWN,
  grpcCodes.DEADLINE_EXCEEDED,
  grpcCodes.UNIMPLEMENTED,
  grpcCodes.INTERNAL,
  grpcCodes.UNAVAILABLE,
  grpcCodes.DATA_LOSS,
]);

/** Whether the server failed, as with 5xx, rather than refused: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/. */
export function isGrpcFailure(code: number): boolean {
  return failures.has(code) || !names.has(code);
}

/** A call that did not end with OK. The message is plain: `UNAVAILABLE: the server is stopping`. */
export class GrpcError extends Error {
  readonly code: number;

  constructor(code: number, reason: string, options?: ErrorOptions) {
    super(`${names.get(code) ?? `status ${code}`}: ${reason}`, options);
    this.code = code;
  }
}
