import { expect, it } from "vitest";
import { parseOtlpReceiver } from "../../../sidecar/telemetry/otlp-receiver.ts";

const timeoutMs = 10_000;

function read(env: Readonly<Record<string, string>>) {
  const receiver = parseOtlpReceiver(env);
  return receiver.ok ? receiver.value : receiver.error;
}

it("exports nowhere without an endpoint", () => {
  expect(read({})).toBeUndefined();
  expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })).toBeUndefined();
});

it("exports over HTTP to the path for traces, or to exactly the URL given for traces alone", () => {
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://jaeger:4318/" };
  expect(read(all)).toEqual({ kind: "http", url: "http://jaeger:4318/v1/traces", timeoutMs });
  const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://tempo/x", OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "500" };
  expect(read({ ...all, ...own, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" })).toEqual({
    kind: "http",
    url: "http://tempo/x",
    timeoutMs: 500,
  });
});

const grpc = { kind: "grpc", metadata: [], timeoutMs };

it.each([
  ["http://jaeger:4317", { address: "jaeger:4317", host: "jaeger", tls: undefined }],
  ["https://tempo", { address: "tempo:4317", host: "tempo", tls: {} }],
  ["https://tempo:443/", { address: "tempo:443", host: "tempo", tls: {} }],
  ["http://[fd00::1]:9999", { address: "[fd00::1]:9999", host: "fd00::1", tls: undefined }],
  ["jaeger:4317", { address: "jaeger:4317", host: "jaeger", tls: {} }],
])("exports over gRPC to %s", (endpoint, expected) => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" };
  expect(read(env)).toEqual({ ...grpc, ...expected });
});

it("reads the other settings of gRPC", () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: "jaeger:4317",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "grpc",
    OTEL_EXPORTER_OTLP_INSECURE: "true",
    OTEL_EXPORTER_OTLP_HEADERS: "Api-Key=a%20b=c, tenant=shop",
  };
  expect(read(env)).toMatchObject({
    tls: undefined,
    metadata: [
      ["api-key", "a b=c"],
      ["tenant", "shop"],
    ],
  });
  const files = { OTEL_EXPORTER_OTLP_CERTIFICATE: "/ca.pem", OTEL_EXPORTER_OTLP_CLIENT_KEY: "/key.pem" };
  expect(read({ ...env, ...files, OTEL_EXPORTER_OTLP_INSECURE: "false" })).toMatchObject({
    tls: { ca: "/ca.pem", key: "/key.pem" },
  });
});

it.each([
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"],
  ["OTEL_EXPORTER_OTLP_TIMEOUT", "soon"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://jaeger"],
])("refuses %s=%s", (path, value) => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://jaeger:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", [path]: value };
  expect(read(env)).toEqual({ path, message: expect.stringContaining(`got ${value}`) as string });
});

it.each(["secret", "name=%zz", "name=a%0ab"])("refuses the headers %s, without repeating them", (value) => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://jaeger:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" };
  expect(read({ ...env, OTEL_EXPORTER_OTLP_HEADERS: value })).toEqual({
    path: "OTEL_EXPORTER_OTLP_HEADERS",
    message: "must be NAME=VALUE, separated by commas, values percent-encoded",
  });
});
