import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Metadata, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import type { OtlpReceiver } from "../../../sidecar/telemetry/otlp-receiver.ts";
import type { Span } from "../../../sidecar/telemetry/span.ts";
import { exportSpans, SpanQueue } from "../../../sidecar/telemetry/span-queue.ts";
import { altNames, dns, makeCertificate, makeRoot } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { decodeSpans } from "../../support/otlp-receiver.ts";

const undo: (() => void)[] = [];

afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

interface Received {
  readonly names: string[];
  readonly metadata: Metadata[];
}

/** A real collector's service in grpc-js: `answer` gives what it says, bytes or an error. */
async function collector(
  answer: (call: number) => Buffer | Partial<ServiceError>,
  credentials = ServerCredentials.createInsecure(),
): Promise<Received & { readonly port: number }> {
  const received: Received = { names: [], metadata: [] };
  const same = (bytes: Buffer): Buffer => bytes;
  const server = new Server();
  let calls = 0;
  server.addService(
    {
      Export: {
        path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    },
    {
      Export: (
        { request, metadata }: { request: Buffer; metadata: Metadata },
        done: (error: Partial<ServiceError> | null, bytes?: Buffer) => void,
      ) => {
        const said = answer(calls++);
        if (!Buffer.isBuffer(said)) return done(said);
        received.metadata.push(metadata);
        received.names.push(...decodeSpans(request).map(({ name }) => name));
        done(null, said);
      },
    },
  );
  undo.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { ...received, port };
}

const whole = Buffer.alloc(0);

function spanOf(name: string): Span {
  return {
    name,
    kind: "client",
    context: {
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "00f067aa0ba902b7",
      sampled: true,
      tracestate: undefined,
    },
    parentSpanId: undefined,
    parentRemote: false,
    attributes: {},
    startMs: 1,
    endMs: 2,
    failed: false,
  };
}

type Grpc = OtlpReceiver & { readonly kind: "grpc" };

async function exporting(port: number, change: Partial<Grpc> = {}) {
  let dropped = 0;
  const queue = new SpanQueue({ capacity: 100, countDropped: (count) => (dropped += count) });
  const address = `127.0.0.1:${port}`;
  const receiver: Grpc = {
    kind: "grpc",
    address,
    host: "127.0.0.1",
    tls: undefined,
    metadata: [],
    timeoutMs: 5_000,
    ...change,
  };
  const wheel = new TimerWheel(performance);
  const options = { receiver, clock: performance, wheel, resource: {}, epochMs: 0, batchDelayMs: 10 };
  const exported = await exportSpans(queue, options);
  return { queue, exported, dropped: () => dropped };
}

it("sends spans in a form that a collector understands, with the configured headers", async () => {
  const { port, names, metadata } = await collector(() => whole);
  const { queue, exported, dropped } = await exporting(port, { metadata: [["api-key", "secret"]] });
  for (const name of ["a", "b"]) queue.push(spanOf(name));
  await exported.close(5_000);
  expect([names, dropped()]).toEqual([["a", "b"], 0]);
  expect(metadata[0]?.get("api-key")).toEqual(["secret"]);
});

it("sends again what a collector could not accept for the moment", async () => {
  const { port, names } = await collector((call) => (call === 0 ? { code: status.UNAVAILABLE } : whole));
  const { queue, exported, dropped } = await exporting(port);
  queue.push(spanOf("a"));
  await eventually(() => names.length > 0);
  expect([names, dropped()]).toEqual([["a"], 0]);
  await exported.close(1_000);
});

it("counts spans that a collector refuses, wholly or in part", async () => {
  const refusing = await collector(() => ({ code: status.INVALID_ARGUMENT }));
  const refused = await exporting(refusing.port);
  for (const name of ["a", "b"]) refused.queue.push(spanOf(name));
  await refused.exported.close(5_000);
  expect(refused.dropped()).toBe(2);
  // partial_success { rejected_spans: 1 }
  const picky = await collector(() => Buffer.from([0x0a, 0x02, 0x08, 0x01]));
  const partly = await exporting(picky.port);
  for (const name of ["a", "b"]) partly.queue.push(spanOf(name));
  await partly.exported.close(5_000);
  expect(partly.dropped()).toBe(1);
});

it("counts spans that nobody accepts, and does not wait for them", async () => {
  const { queue, exported, dropped } = await exporting(1, { timeoutMs: 200 });
  queue.push(spanOf("a"));
  await exported.close(5_000);
  expect(dropped()).toBe(1);
});

it("speaks TLS only to a collector whose certificate is for its name", async () => {
  const folder = mkdtempSync(join(tmpdir(), "otlp-"));
  undo.push(() => rmSync(folder, { recursive: true }));
  const root = makeRoot();
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, root.pem);
  const { pem, keyPem } = makeCertificate({ issuer: root, extensions: [altNames(dns("collector"))] });
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(pem), private_key: Buffer.from(keyPem) },
  ]);
  const { port, names } = await collector(() => whole, credentials);
  const right = await exporting(port, { host: "collector", tls: { ca } });
  right.queue.push(spanOf("a"));
  await right.exported.close(5_000);
  expect(names).toEqual(["a"]);
  const wrong = await exporting(port, { host: "other", tls: { ca }, timeoutMs: 300 });
  wrong.queue.push(spanOf("b"));
  await wrong.exported.close(5_000);
  expect([names, wrong.dropped()]).toEqual([["a"], 1]);
});
