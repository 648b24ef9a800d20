/** A useless trace receiver: requests are not affected, what is kept for it is bounded, and what is lost is counted. */

import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import type { OtlpReceiver } from "../../sidecar/telemetry/otlp-receiver.ts";
import { exportSpans, SpanQueue } from "../../sidecar/telemetry/span-queue.ts";
import { eventually } from "../support/eventually.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";

const requests = 300;
const atATime = 10;
/** Of the request and of its one try at the caller's end, and of the request at the other. */
const spansPerRequest = 3;
const capacity = 100;
const exportTimeoutMs = 500;

/** Takes connections and all that comes, and says nothing. */
async function openSilence() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => socket.destroy()).resume());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, sockets, close };
}

function receiverAt(port: number, kind: OtlpReceiver["kind"]): OtlpReceiver {
  const address = `127.0.0.1:${port}`;
  const timeoutMs = exportTimeoutMs;
  return kind === "http"
    ? { kind, url: `http://${address}/v1/traces`, timeoutMs }
    : { kind, address, host: "127.0.0.1", tls: undefined, metadata: [], timeoutMs };
}

/** How long each request took, in ms; each is to be answered with 200. */
async function askMany(podIp: string): Promise<readonly number[]> {
  const took: number[] = [];
  const askOneByOne = async () => {
    for (let n = 0; n < requests / atATime; n++) {
      const start = performance.now();
      expect((await askThrough(podIp, "http://orders/")).status).toBe(200);
      took.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: atATime }, askOneByOne));
  return took.sort((a, b) => a - b);
}

it.each([
  ["http", "never answers"],
  ["grpc", "never answers"],
  ["http", "is not there"],
  ["grpc", "is not there"],
] as const)("does not affect requests, over %s, if the receiver %s", async (kind, trouble) => {
  const silence = await openSilence();
  await using undo = new AsyncDisposableStack();
  if (trouble === "is not there") await silence.close();
  else undo.defer(silence.close);

  let [recorded, dropped] = [0, 0];
  const queue = new SpanQueue({ capacity, countDropped: (spans) => (dropped += spans) });
  const exported = await exportSpans(queue, {
    receiver: receiverAt(silence.port, kind),
    resource: {},
    epochMs: performance.timeOrigin,
    batchDelayMs: 10,
    clock: performance,
    wheel: new TimerWheel(performance),
  });
  const spans = {
    push(span: Parameters<SpanQueue["push"]>[0]) {
      recorded++;
      queue.push(span);
    },
  };

  const mesh = undo.use(await TestMesh.open());
  const [web, orders] = [await mesh.sidecar("web", { spans }), await mesh.sidecar("orders", { spans })];
  await mesh.application(orders.podIp, (_request, response) => response.end("fine"));
  mesh.service("orders", [meshed(orders.podIp, "orders")], { samplingRatio: 1 });

  const took = await askMany(web.podIp);
  // Whoever waited for the receiver would wait for its time to be over.
  expect(took[requests / 2]).toBeLessThan(exportTimeoutMs);
  await eventually(() => recorded === requests * spansPerRequest);
  // As many as wait, and one batch of as many under way.
  expect(recorded - dropped).toBeLessThanOrEqual(2 * capacity);
  expect(silence.sockets.size > 0).toBe(trouble === "never answers");
  await exported.close(10_000);
  expect(dropped).toBe(recorded);
});
