/**
 * Where spans go, as OpenTelemetry's variables say: https://opentelemetry.io/docs/specs/otel/protocol/exporter/. Those for
 * traces alone come before those for everything. Over HTTP, headers, compression and certificates are read by the exporter itself.
 */

import { joinAddress } from "../../model/address.ts";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";

/** `timeoutMs`: how long one export may take, including its retries. */
export type OtlpReceiver =
  | { readonly kind: "http"; readonly url: string; readonly timeoutMs: number }
  | {
      readonly kind: "grpc";
      /** `host:port` */
      readonly address: string;
      readonly host: string;
      /**
       * Undefined: in the clear. PEM files; without `ca` the default roots are trusted, without the others no certificate is
       * presented.
       */
      readonly tls: { readonly ca?: string; readonly certificate?: string; readonly key?: string } | undefined;
      readonly metadata: readonly (readonly [name: string, value: string])[];
      readonly timeoutMs: number;
    };

type Variables = Readonly<Record<string, string | undefined>>;

const grpcPort = 4_317;
const defaultTimeoutMs = 10_000;

/** Undefined: spans are sent nowhere. */
export function parseOtlpReceiver(env: Variables): Result<OtlpReceiver | undefined, FieldError> {
  const protocol = ofTraces(env, "PROTOCOL");
  const endpoint = ofTraces(env, "ENDPOINT");
  const timeout = ofTraces(env, "TIMEOUT");
  const timeoutMs = timeout.value === "" ? defaultTimeoutMs : Number(timeout.value);
  if (endpoint.value === "") return ok(undefined);
  if (!(timeoutMs > 0)) return err({ path: timeout.name, message: `must be milliseconds, got ${timeout.value}` });
  switch (protocol.value) {
    case "":
    case "http/protobuf":
      return ok({ kind: "http", url: tracesUrl(endpoint), timeoutMs });
    case "grpc":
      return parseGrpc(env, endpoint, timeoutMs);
    default:
      return err({ path: protocol.name, message: `must be http/protobuf or grpc, got ${protocol.value}` });
  }
}

interface Variable {
  readonly name: string;
  /** Empty: the variable is not set. */
  readonly value: string;
}

function ofTraces(env: Variables, what: string): Variable {
  const own = `OTEL_EXPORTER_OTLP_TRACES_${what}`;
  const all = `OTEL_EXPORTER_OTLP_${what}`;
  const isOwn = (env[own] ?? "") !== "";
  return { name: isOwn ? own : all, value: env[isOwn ? own : all] ?? "" };
}

/** A variable for traces alone contains the whole URL. */
function tracesUrl({ name, value }: Variable): string {
  return name.includes("_TRACES_") ? value : `${value.replace(/\/+$/, "")}/v1/traces`;
}

function parseGrpc(env: Variables, endpoint: Variable, timeoutMs: number): Result<OtlpReceiver, FieldError> {
  const isPlain = ofTraces(env, "INSECURE").value.toLowerCase() === "true";
  const text = endpoint.value.includes("://") ? endpoint.value : `${isPlain ? "http" : "https"}://${endpoint.value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    return err({ path: endpoint.name, message: `must be http(s)://HOST:PORT, got ${endpoint.value}` });
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  // A URL drops the port if it is the default of its scheme.
  const written = /:(\d+)\/?$/.exec(text)?.[1];
  const metadata = parseHeaders(ofTraces(env, "HEADERS"));
  if (!metadata.ok) return metadata;
  return ok({
    kind: "grpc",
    address: joinAddress(host, Number(written ?? grpcPort)),
    host,
    tls: url.protocol === "http:" ? undefined : tlsFiles(env),
    metadata: metadata.value,
    timeoutMs,
  });
}

function tlsFiles(env: Variables): { ca?: string; certificate?: string; key?: string } {
  const ca = ofTraces(env, "CERTIFICATE").value;
  const certificate = ofTraces(env, "CLIENT_CERTIFICATE").value;
  const key = ofTraces(env, "CLIENT_KEY").value;
  return { ...(ca !== "" && { ca }), ...(certificate !== "" && { certificate }), ...(key !== "" && { key }) };
}

const token = /^[a-z0-9_.-]+$/;

/** Parses `api-key=secret,tenant=a%20b`. An error never contains the value, which is usually a secret. */
function parseHeaders({ name, value }: Variable): Result<(readonly [string, string])[], FieldError> {
  const pairs: (readonly [string, string])[] = [];
  for (const pair of value.split(",").filter((part) => part.trim() !== "")) {
    const split = pair.indexOf("=");
    const key = pair.slice(0, Math.max(split, 0)).trim().toLowerCase();
    const decoded = decode(pair.slice(split + 1).trim());
    if (!token.test(key) || decoded === undefined) {
      return err({ path: name, message: "must be NAME=VALUE, separated by commas, values percent-encoded" });
    }
    pairs.push([key, decoded]);
  }
  return ok(pairs);
}

function decode(value: string): string | undefined {
  try {
    const decoded = decodeURIComponent(value);
    return /^[\x20-\x7e]*$/.test(decoded) ? decoded : undefined;
  } catch {
    return undefined;
  }
}
