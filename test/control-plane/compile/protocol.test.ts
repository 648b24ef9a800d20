import { expect, it } from "vitest";
import { readProtocol } from "../../../control-plane/compile/protocol.ts";

it.each([
  ["http", "http1"],
  ["HTTP", "http1"],
  ["kubernetes.io/h2c", "http2"],
  ["kubernetes.io/ws", "http1"],
  ["grpc", "grpc"],
  ["https", "tls"],
  ["tcp", "opaque"],
  ["tulle.dev/opaque", "opaque"],
  ["example.com/own", "detect"],
])("reads appProtocol %s as %s, whatever the port is called", (appProtocol, protocol) => {
  expect(readProtocol({ port: 3306, name: "grpc-x", appProtocol })).toBe(protocol);
});

it.each([
  ["http", "http1"],
  ["http-web", "http1"],
  ["http2-x", "http2"],
  ["grpc-x", "grpc"],
  ["grpc-web", "detect"],
  ["tcp-x", "opaque"],
  ["https", "tls"],
  ["httpd", "detect"],
  ["web", "detect"],
])("reads a port called %s as %s", (name, protocol) => {
  expect(readProtocol({ port: 80, name })).toBe(protocol);
});

it("reads the ports of server-first protocols as opaque, unless they are declared otherwise", () => {
  for (const port of [25, 587, 3306, 4444, 9300]) expect(readProtocol({ port, name: "main" })).toBe("opaque");
  expect(readProtocol({ port: 9300, name: "http-main" })).toBe("http1");
  expect(readProtocol({ port: 443 })).toBe("detect");
});
