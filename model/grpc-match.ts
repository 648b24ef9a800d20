/** gRPC methods as paths, and which of two such matches is the more specific (GRPCRoute). */

import type { PathMatch } from "./resources.ts";

export interface GrpcMethodMatch {
  readonly kind: "exact" | "regex";
  /** `shop.Catalog`; absent: any. */
  readonly service?: string;
  /** `ListItems`; absent: any. */
  readonly method?: string;
}

const anySegment = "[^/]+";

/** A call of `shop.Catalog/ListItems` is a POST to `/shop.Catalog/ListItems`. Undefined: every call. */
export function grpcPath({ kind, service, method }: GrpcMethodMatch): PathMatch | undefined {
  if (service === undefined && method === undefined) return undefined;
  if (kind === "regex" || service === undefined) {
    // Grouped, so that an alternative ends where its part ends.
    return { kind: "regex", value: `/${part(kind, service)}/${part(kind, method)}` };
  }
  return method === undefined
    ? { kind: "prefix", value: `/${service}` }
    : { kind: "exact", value: `/${service}/${method}` };
}

function part(kind: GrpcMethodMatch["kind"], name: string | undefined): string {
  if (name === undefined) return anySegment;
  return kind === "regex" ? `(?:${name})` : name.replaceAll(".", "\\.");
}

/**
 * GRPCRoute's precedence, a negative number if `a` goes first: more characters in the service, then in the method.
 */
export function compareGrpcMethods(a: GrpcMethodMatch = anyMethod, b: GrpcMethodMatch = anyMethod): number {
  return (b.service?.length ?? 0) - (a.service?.length ?? 0) || (b.method?.length ?? 0) - (a.method?.length ?? 0);
}

const anyMethod: GrpcMethodMatch = { kind: "exact" };
