/**
 * Turns an error from below into a response that says why. This is the only place that maps codes to HTTP and gRPC statuses.
 * The layer around it is `telemetry/measure.ts`, because what it answers is also counted.
 */

import { type ErrorCode, errorCodes, type MeshError } from "../../model/errors.ts";
import type { Exchange, ResponseSink } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { isGrpc } from "./grpc.ts";

export interface RescueOptions {
  /**
   * Codes to pass on instead of answering, for a caller that understands them: over the mesh link `refused_stream` becomes
   * REFUSED_STREAM, and the far sidecar tries elsewhere, even a POST.
   */
  readonly passOn?: readonly ErrorCode[];
}

/** Answers a request with an error of the mesh's own. */
export function answerError(exchange: Exchange, response: ResponseSink, error: MeshError): void {
  const { http, grpc, says } = errorCodes[error.code];
  const text = `${says} ${error.message}`;
  const headers = new HeaderFields(["tulle-error", error.code]);
  if (error.retryAfterMs !== undefined) {
    headers.append("retry-after", String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))));
  }
  for (const [name, value] of error.fields) headers.append(name, value);
  if (isGrpc(exchange)) answerGrpc(response, grpc, headers, `${error.code}: ${text}`);
  else answerHttp(exchange, response, http, headers, text);
}

/** A trailers-only response with `headers`. */
export function answerGrpc(response: ResponseSink, status: number, headers: HeaderFields, message: string): void {
  headers.append("content-type", "application/grpc");
  headers.append("grpc-status", String(status));
  headers.append("grpc-message", percentEncode(message));
  response.head({ status: 200, headers, bodyless: true });
  response.endResponse();
}

/** A response with one line of text. */
export function answerHttp(
  { method }: Exchange,
  response: ResponseSink,
  status: number,
  headers: HeaderFields,
  text: string,
): void {
  const body = Buffer.from(`${text}\n`);
  const bodyless = method === "HEAD";
  headers.append("content-type", "text/plain; charset=utf-8");
  headers.append("content-length", String(body.length));
  response.head({ status, headers, bodyless });
  if (!bodyless) response.writeResponse(body);
  response.endResponse();
}

/** Encodes text as `grpc-message` requires: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses */
function percentEncode(text: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
