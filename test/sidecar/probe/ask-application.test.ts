import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { parseApplicationProbes, probePath } from "../../../model/application-probe.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { askApplication } from "../../../sidecar/probe/ask-application.ts";
import { openAdmin } from "../../../sidecar/telemetry/admin.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { altNames, dns, makeCertificate } from "../../support/certificates.ts";

const host = "127.0.0.1";
const wheel = new TimerWheel(performance);
const never = new AbortController().signal;
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function listen(server: net.Server): Promise<number> {
  server.listen(0, host);
  await once(server, "listening");
  closing.push(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

const httpAction = (port: number, path: string, tls = false) =>
  ({ kind: "http", port, path, tls, headers: [] }) as const;

it("asks over HTTP with the probe's fields, and returns the status", async () => {
  const seen: http.IncomingMessage[] = [];
  const port = await listen(
    http.createServer((request, response) => {
      seen.push(request);
      response.writeHead(request.url === "/bad" ? 500 : 204).end();
    }),
  );
  const headers = [
    ["Host", "web.example"],
    ["X-Probe", "1"],
  ] as const;
  const good = { ...httpAction(port, "/healthz?deep=1"), headers };
  expect(await askApplication({ action: good, timeoutMs: 1_000 }, host, wheel, never)).toMatchObject({ status: 204 });
  expect(seen[0]).toMatchObject({ method: "GET", url: "/healthz?deep=1" });
  expect(seen[0]?.headers).toMatchObject({ host: "web.example", "x-probe": "1", "user-agent": "kube-probe" });
  const bad = { action: httpAction(port, "/bad"), timeoutMs: 1_000 };
  expect(await askApplication(bad, host, wheel, never)).toMatchObject({ status: 500 });
  expect(seen[1]?.headers.host).toBe(`${host}:${port}`);
});

it("asks over TLS, whatever the certificate", async () => {
  const { pem, keyPem } = makeCertificate({ extensions: [altNames(dns("elsewhere.example"))] });
  const port = await listen(https.createServer({ cert: pem, key: keyPem }, (_, response) => response.end("fine")));
  const probe = { action: httpAction(port, "/", true), timeoutMs: 1_000 };
  expect(await askApplication(probe, host, wheel, never)).toMatchObject({ status: 200 });
});

it("fails if nobody listens, and says so", async () => {
  const server = net.createServer();
  const port = await listen(server);
  server.close();
  await once(server, "close");
  for (const action of [httpAction(port, "/"), { kind: "tcp", port }, { kind: "grpc", port, service: "" }] as const) {
    const { status, says } = await askApplication({ action, timeoutMs: 1_000 }, host, wheel, never);
    expect([status, says]).toEqual([503, expect.stringContaining("ECONNREFUSED")]);
  }
});

it("fails if the answer takes too long", async () => {
  const sockets: net.Socket[] = [];
  const port = await listen(net.createServer((socket) => sockets.push(socket.on("error", () => {}))));
  closing.push(() => sockets.forEach((socket) => socket.destroy()));
  const { status, says } = await askApplication({ action: httpAction(port, "/"), timeoutMs: 50 }, host, wheel, never);
  expect([status, says]).toEqual([503, `${host}:${port}: no answer within 50 ms`]);
});

it("fails if something other than HTTP answers", async () => {
  const port = await listen(
    net.createServer((socket) => socket.on("error", () => {}).on("data", () => socket.end("220 mail\r\n"))),
  );
  expect((await askApplication({ action: httpAction(port, "/"), timeoutMs: 1_000 }, host, wheel, never)).status).toBe(
    503,
  );
});

it("passes for a port that accepts connections", async () => {
  const port = await listen(net.createServer((socket) => socket.destroy()));
  const probe = { action: { kind: "tcp", port }, timeoutMs: 1_000 } as const;
  expect(await askApplication(probe, host, wheel, never)).toMatchObject({ status: 200 });
});

it("asks gRPC's health service by name", async () => {
  const server = new Server();
  const asked: string[] = [];
  server.addService(
    {
      Check: {
        path: "/grpc.health.v1.Health/Check",
        requestStream: false,
        responseStream: false,
        requestSerialize: (bytes: Buffer) => bytes,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    {
      Check: ({ request }: { request: Buffer }, answer: (error: null, bytes: Buffer) => void) => {
        asked.push(request.toString("latin1"));
        answer(null, Buffer.of(0x08, request.length === 0 ? 1 : 2));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    const bound = (error: Error | null, found: number) => (error === null ? resolve(found) : reject(error));
    server.bindAsync(`${host}:0`, ServerCredentials.createInsecure(), bound);
  });
  closing.push(() => server.forceShutdown());
  const grpc = (service: string) => ({ action: { kind: "grpc", port, service }, timeoutMs: 1_000 }) as const;
  expect(await askApplication(grpc(""), host, wheel, never)).toMatchObject({ status: 200 });
  expect(await askApplication(grpc("shop.Store"), host, wheel, never)).toMatchObject({ status: 503 });
  expect(asked).toEqual(["", "\n\nshop.Store"]);
});

it("stands in for the application on the admin port", async () => {
  const port = await listen(http.createServer((_, response) => response.writeHead(418).end()));
  const path = probePath("web", "liveness");
  const probes = parseApplicationProbes(
    JSON.stringify({ [path]: { action: httpAction(port, "/"), timeoutMs: 1_000 } }),
  );
  if (!probes.ok) throw new Error(probes.error);
  const registry = new MetricRegistry({ labels: {} });
  const admin = await openAdmin({ host, port: 0, registry, readiness: () => [], probes: probes.value, wheel });
  try {
    const answer = await fetch(`http://${host}:${admin.port}${path}`);
    expect([answer.status, await answer.text()]).toEqual([418, `${host}:${port} answers 418\n`]);
    expect((await fetch(`http://${host}:${admin.port}/probe/web/readiness`)).status).toBe(404);
  } finally {
    admin.close();
  }
});

it.each([
  "[]",
  "{",
  '{"/probe/a/b": {}}',
  '{"/p": {"action": {"kind": "tcp", "port": 0}}}',
  '{"/p": {"action": {"kind": "http", "port": 1, "path": "/", "tls": false, "headers": [["a"]]}}}',
  '{"/p": {"action": {"kind": "tcp", "port": 1}, "timeoutMs": -1}}',
])("refuses an invalid table of probes: %s", (text) => {
  expect(parseApplicationProbes(text).ok).toBe(false);
});
