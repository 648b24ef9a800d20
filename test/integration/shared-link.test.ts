/** One link for all requests from one pod to another: more than its streams can carry, and bulk data beside requests. */

import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { answerTo } from "../support/answer-to.ts";
import { eventually } from "../support/eventually.ts";
import { meshed, nextPodIp, TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";
import { dialRaw } from "../support/sockets.ts";

/** What one link takes at a time. */
const streamsOfLink = 1_000;
const bulkPort = 9_000;

interface Ground {
  readonly web: TestSidecar;
  readonly orders: TestSidecar;
  /** Where the application of `web` finds the requests' port of `orders`, and the other one. */
  readonly requests: string;
  readonly bulk: string;
}

async function open(mesh: TestMesh): Promise<Ground> {
  const [requests, bulk] = [nextPodIp(), nextPodIp()];
  const web = await mesh.sidecar("web", {
    upstreams: [
      { host: "orders", port: 80, listenHost: requests, listenPort: 9001 },
      { host: "bulk", port: 80, listenHost: bulk, listenPort: 9001 },
    ],
  });
  const orders = await mesh.sidecar("orders");
  const ports = [
    { port: 8080, protocol: "http1" },
    { port: bulkPort, protocol: "opaque" },
  ] as const;
  mesh.resources.set({ kind: "inbound", value: { name: "shop/orders", ports } });
  mesh.service("orders", [meshed(orders.podIp, "orders")], {}, "http1");
  mesh.service("bulk", [meshed(orders.podIp, "orders", bulkPort)], {}, "opaque");
  return { web, orders, requests, bulk };
}

it("opens a second connection when the streams of the first are used up, and loses no request", async () => {
  await using mesh = await TestMesh.open();
  const { web, orders, requests } = await open(mesh);
  const held: http.ServerResponse[] = [];
  await mesh.application(orders.podIp, (_request, response) => void held.push(response));
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const ask = () => http.get({ host: requests, port: 9001, agent });
  const first = Array.from({ length: streamsOfLink }, ask);
  await eventually(() => held.length === streamsOfLink);
  expect(web.sidecar.state().linkCount).toBe(1);

  const second = Array.from({ length: 50 }, ask);
  await eventually(() => held.length === streamsOfLink + second.length);
  expect(web.sidecar.state().linkCount).toBe(2);
  const answers = Promise.all([...first, ...second].map(answerTo));
  for (const response of held) response.end();
  expect((await answers).filter(({ statusCode }) => statusCode !== 200)).toEqual([]);
});

/** What the kernel's buffers on the way and the sidecars' own hold of bulk: an answer may stand behind that, and no more. */
const maxBytesAhead = 16 * 1024 * 1024;
const requestCount = 50;

it.each(["down", "up"])("keeps bulk data going %s from starving requests on the same link", async (direction) => {
  await using mesh = await TestMesh.open();
  const { web, orders, requests, bulk } = await open(mesh);
  await mesh.application(orders.podIp, (_request, response) => response.end("ok"));
  let passed = 0;
  const count = (chunk: Buffer): void => {
    passed += chunk.length;
  };
  const block = Buffer.alloc(256 * 1024);
  /** Without end, as fast as it is taken. */
  const pour = (socket: net.Socket): void => {
    const more = (): void => {
      while (socket.write(block)) continue;
    };
    socket.on("drain", more);
    more();
  };
  const far = net.createServer((socket) => {
    socket.on("error", () => {}); // cut at the end
    if (direction === "down") pour(socket);
    else socket.on("data", count);
  });
  far.listen(bulkPort, orders.podIp);
  await once(far, "listening");
  const near = dialRaw({ host: bulk, port: 9001 });
  onTestFinished(() => {
    near.destroy();
    far.close();
  });
  if (direction === "up") pour(near);
  else near.on("data", count);
  await eventually(() => passed > maxBytesAhead);

  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const ahead: number[] = [];
  for (let i = 0; i < requestCount; i++) {
    const before = passed;
    const answer = await answerTo(http.get({ host: requests, port: 9001, agent }));
    await once(answer.resume(), "end");
    ahead.push(passed - before);
  }
  expect(web.sidecar.state().linkCount).toBe(1);
  expect(ahead.filter((bytes) => bytes > maxBytesAhead)).toEqual([]);
  expect(near.destroyed).toBe(false);
});
