/**
 * What a span says about a request: https://opentelemetry.io/docs/specs/semconv/http/http-spans/, and for gRPC also
 * https://opentelemetry.io/docs/specs/semconv/rpc/grpc/. Never a query, a header or a body; every value is limited in size.
 */

import { grpcCodes, grpcStatusName, isGrpcFailure } from "../grpc/status.ts";
import type { Exchange } from "../net/exchange.ts";
import { isGrpc } from "../policy/grpc.ts";
import type { Span, SpanAttributes } from "./span.ts";

const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"]);

/** The HTTP method if it is a known one, or the gRPC method. */
export function spanName(exchange: Exchange): string {
  if (isGrpc(exchange)) return grpcMethod(exchange);
  return knownMethods.has(exchange.method) ? exchange.method : "HTTP";
}

/** What is known about a request when it arrives. */
export function requestAttributes(exchange: Exchange, kind: Span["kind"]): SpanAttributes {
  const { method, path, authority, scheme } = exchange;
  const known = knownMethods.has(method);
  const attributes: SpanAttributes = {
    "http.request.method": known ? method : "_OTHER",
    "url.scheme": scheme,
  };
  if (!known) attributes["http.request.method_original"] = bounded(method);
  if (path !== "") attributes["url.path"] = bounded(withoutQuery(path));
  if (isGrpc(exchange)) {
    attributes["rpc.system.name"] = "grpc";
    attributes["rpc.method"] = grpcMethod(exchange);
  }
  const server = servers.read(authority);
  if (server !== undefined) {
    attributes["server.address"] = server.host;
    attributes["server.port"] = server.port ?? defaultPorts[scheme];
    if (kind === "client" && path.startsWith("/")) {
      attributes["url.full"] = bounded(`${scheme}://${authority}${withoutQuery(path)}`);
    }
  }
  if (exchange.peer !== undefined) attributes["tulle.peer"] = exchange.peer;
  return attributes;
}

/** What the recording sidecar knows beforehand. */
export function ownAttributes(service: string, policyVersion: string | undefined): SpanAttributes {
  return { "tulle.service": service, ...(policyVersion !== undefined && { "tulle.policy_version": policyVersion }) };
}

/** How a request ended. */
export interface Ended {
  /** 0: there was no response. */
  readonly status: number;
  readonly grpcStatus: number | undefined;
  /** The code of the mesh's error, if it made one. */
  readonly code: string | undefined;
  /** Whether it ended without a whole response. */
  readonly isCut: boolean;
}

/** Adds what the layers below found out, and how the request ended. */
export function complete(span: Span, exchange: Exchange, { status, grpcStatus, code, isCut }: Ended): void {
  const { attributes, kind } = span;
  if (exchange.route !== undefined) attributes["tulle.route"] = exchange.route;
  if (exchange.backend !== undefined) attributes["tulle.backend"] = exchange.backend;
  if (exchange.breakerState !== undefined) attributes["tulle.breaker_state"] = exchange.breakerState;
  const peer = exchange.endpoint === undefined ? undefined : peers.read(exchange.endpoint);
  if (peer !== undefined) {
    attributes["network.peer.address"] = peer.host;
    if (peer.port !== undefined) attributes["network.peer.port"] = peer.port;
  }
  if (status !== 0) attributes["http.response.status_code"] = status;
  if (grpcStatus !== undefined) attributes["rpc.response.status_code"] = grpcStatusName(grpcStatus);
  const isBad = status >= (kind === "server" ? 500 : 400) || isGrpcError(kind, grpcStatus);
  const statusText = grpcStatus === undefined ? String(status) : grpcStatusName(grpcStatus);
  const why = code ?? (isBad ? statusText : undefined);
  if (why === undefined) return;
  attributes["error.type"] = bounded(why);
  span.failed = isBad || isCut;
}

/** For a client any status but OK is an error; for a server only those that are its own fault. */
function isGrpcError(kind: Span["kind"], status: number | undefined): boolean {
  if (status === undefined) return false;
  return kind === "server" ? isGrpcFailure(status) : status !== grpcCodes.OK;
}

/** `shop.Payments/Charge` */
function grpcMethod({ path }: Exchange): string {
  return bounded(withoutQuery(path).slice(1));
}

/** Queries may contain secrets. */
function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query === -1 ? path : path.slice(0, query);
}

const defaultPorts = { http: 80, https: 443 } as const;

/** Matches no user name or password: an authority with these is not recorded as an address. */
const hostAndPort = /^(\[[^\]]*\]|[^:@]*)(?::(\d{1,5}))?$/;

interface HostAndPort {
  readonly host: string;
  readonly port: number | undefined;
}

/** Parses addresses. It remembers the last one, which is usually the next one too. */
class AddressReader {
  #last = "";
  #read: HostAndPort | undefined;

  /** Undefined: it is not an address. */
  read(address: string): HostAndPort | undefined {
    if (address !== this.#last) {
      const match = hostAndPort.exec(address);
      const host = bounded(match?.[1]?.replace(/^\[|\]$/g, "") ?? "");
      this.#read = host === "" ? undefined : { host, port: match?.[2] === undefined ? undefined : Number(match[2]) };
      this.#last = address;
    }
    return this.#read;
  }
}

const servers = new AddressReader();
const peers = new AddressReader();

const longestAttribute = 1_024;

/** Limits a value's length, so that the number of spans in the ring limits its memory. */
function bounded(value: string): string {
  return value.length > longestAttribute ? value.slice(0, longestAttribute) : value;
}
