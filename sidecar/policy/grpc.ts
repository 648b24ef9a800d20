/** What the policies need to know of gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */

import type { RequestHead, ResponseHead } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";

const grpcType = "application/grpc";

export function isGrpc({ headers }: Pick<RequestHead, "headers">): boolean {
  const type = headers.get("content-type");
  if (type === undefined || !type.startsWith(grpcType)) return false;
  const next = type[grpcType.length];
  return next === undefined || next === "+" || next === ";";
}

/** The gRPC status of a response that has it in its head: trailers-only. */
export function grpcStatusOf(head: ResponseHead): number | undefined {
  return grpcStatusIn(head.headers);
}

/** The gRPC status in a head or in trailers. */
export function grpcStatusIn(fields: HeaderFields | undefined): number | undefined {
  const status = fields?.get("grpc-status");
  return status !== undefined && /^\d{1,2}$/.test(status) ? Number(status) : undefined;
}
