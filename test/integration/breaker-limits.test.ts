import type http from "node:http";
import { expect, it } from "vitest";
import { defaultCircuitBreakerPolicy } from "../../model/defaults.ts";
import type { CircuitBreakerPolicy } from "../../model/policy.ts";
import { eventually } from "../support/eventually.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";

/** A caller, and an application that answers each request when it is told to. */
async function openMesh(limits: Partial<CircuitBreakerPolicy>) {
  const mesh = await TestMesh.open();
  const [web, orders] = [await mesh.sidecar("web"), await mesh.sidecar("orders")];
  const arrived: http.ServerResponse[] = [];
  let peakConnections = 0;
  let connections = 0;
  const application = await mesh.application(orders.podIp, (_request, response) => arrived.push(response));
  application.on("connection", (socket) => {
    peakConnections = Math.max(peakConnections, ++connections);
    socket.on("close", () => connections--);
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  const breaker = { ...defaultCircuitBreakerPolicy, ...limits };
  mesh.backend("orders", [meshed(orders.podIp, "orders")], { breaker });
  const ask = () => askThrough(web.podIp, "http://orders/");
  const refused = (limit: string) => {
    const { overloads } = web.metrics;
    return overloads.value(overloads.slot({ backend: "orders.shop.svc.cluster.local:80", limit }));
  };
  return {
    ask,
    arrived,
    refused,
    peakConnections: () => peakConnections,
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  };
}

it("lets as many wait as allowed, serves them in turn, and refuses the next at once", async () => {
  await using mesh = await openMesh({ maxRequests: 1, maxPendingRequests: 2 });
  const { ask, arrived, refused } = mesh;
  const first = ask();
  await eventually(() => arrived.length === 1);
  const waiting = [ask(), ask()];
  // Which of the three comes last is the network's to say, not ours.
  const asked = [...waiting, ask()];
  await eventually(() => refused("maxPendingRequests") === 1);
  for (let served = 1; served <= 3; served++) {
    await eventually(() => arrived.length === served);
    arrived[served - 1]?.end("fine");
  }
  expect((await first).status).toBe(200);
  const answers = await Promise.all(asked);
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 200, 503]);
  expect(answers.find(({ status }) => status === 503)?.headers["tulle-error"]).toBe("overloaded");
});

it("never has more connections to an application than maxConnections", async () => {
  await using mesh = await openMesh({ maxConnections: 2, maxPendingRequests: 100 });
  const { ask, arrived, peakConnections } = mesh;
  const asked = Array.from({ length: 20 }, ask);
  for (let served = 1; served <= 20; served++) {
    await eventually(() => arrived.length >= served);
    arrived[served - 1]?.end("fine");
  }
  expect((await Promise.all(asked)).every(({ status }) => status === 200)).toBe(true);
  expect(peakConnections()).toBeLessThanOrEqual(2);
});
