import { expect, it } from "vitest";
import type { RateLimit } from "../../model/policy.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";

const once: RateLimit = { requests: 1, perMs: 3_600_000, burst: 1, by: "all", matches: [] };

function limitBy(mesh: TestMesh, ...limits: RateLimit[]): void {
  const ports = [{ port: 8080, protocol: "detect" as const, rateLimits: [{ name: "shop/orders", limits }] }];
  mesh.resources.set({ kind: "inbound", value: { name: "shop/orders", ports } });
}

it("admits from each caller, and from all together, what the limits allow", async () => {
  await using mesh = await TestMesh.open();
  const orders = await mesh.sidecar("orders");
  const [web, other] = [await mesh.sidecar("web"), await mesh.sidecar("other")];
  let served = 0;
  await mesh.application(orders.podIp, (_request, response) => {
    served++;
    response.end("fine");
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  limitBy(mesh, { ...once, by: "client" }, { ...once, requests: 2, burst: 2 });

  const admitted = await askThrough(web.podIp, "http://orders/");
  expect([admitted.status, admitted.headers["ratelimit"]]).toEqual([200, '"client";r=0;t=3600']);
  const refused = await askThrough(web.podIp, "http://orders/", { method: "POST", body: "x".repeat(100_000) });
  expect([refused.status, refused.headers["tulle-error"]]).toEqual([429, "rate_limited"]);
  expect(refused.headers["ratelimit"]).toMatch(/^"client";r=0;t=[0-9]+$/);
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(3_000);
  expect(refused.body).toBe(
    "More requests came than a rate limit admits. The limit is 1 in 3600000 ms for each caller.\n",
  );
  // What was refused took nothing from the limit for all.
  expect((await askThrough(other.podIp, "http://orders/")).status).toBe(200);
  expect((await askThrough(other.podIp, "http://orders/")).status).toBe(429);
  expect(served).toBe(2);
  const { requests } = orders.metrics;
  const labels = { direction: "inbound", service: "shop/orders", code: "429", error: "rate_limited" };
  expect(
    requests.value(requests.slot({ ...labels, peer: "shop/web", tls: "mutual", grpc: "", result: "success" })),
  ).toBe(1);
});

it("follows an update", async () => {
  await using mesh = await TestMesh.open();
  const [web, orders] = [await mesh.sidecar("web"), await mesh.sidecar("orders")];
  await mesh.application(orders.podIp, (_request, response) => response.end("fine"));
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  const ask = async () => (await askThrough(web.podIp, "http://orders/")).status;
  limitBy(mesh, once);
  expect([await ask(), await ask()]).toEqual([200, 429]);
  limitBy(mesh, { ...once });
  expect(await ask()).toBe(429);
  limitBy(mesh, { ...once, burst: 2 });
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429]);
});
