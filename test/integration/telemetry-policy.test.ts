import { expect, it } from "vitest";
import type { Route } from "../../model/resources.ts";
import type { Span } from "../../sidecar/telemetry/span.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";

function setRatio(mesh: TestMesh, podIp: string, samplingRatio?: number): void {
  mesh.service("orders", [meshed(podIp, "orders")]);
  const name = "orders.shop.svc.cluster.local:80";
  const destination = mesh.resources.get("destination", name);
  if (destination?.kind !== "destination") throw new Error("no destination");
  const value = { ...destination.value, ...(samplingRatio !== undefined && { samplingRatio }) };
  mesh.resources.set({ kind: "destination", value });
}

it("records the share of traces that the policy of the dialled Service asks for, at both ends", async () => {
  await using mesh = await TestMesh.open();
  const recorded: Span[] = [];
  const spans = { push: (span: Span) => void recorded.push(span) };
  const [web, orders] = [await mesh.sidecar("web", { spans }), await mesh.sidecar("orders", { spans })];
  await mesh.application(orders.podIp, (_request, response) => response.end("fine"));
  const ask = (headers: Record<string, string> = {}) => askThrough(web.podIp, "http://orders/", { headers });
  const unsampled = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00` };

  setRatio(mesh, orders.podIp);
  await ask();
  expect(recorded).toEqual([]);
  setRatio(mesh, orders.podIp, 1);
  await ask(unsampled);
  expect(recorded).toEqual([]);
  await ask();
  expect(recorded.map(({ kind }) => kind).sort()).toEqual(["client", "client", "server"]);
  expect(new Set(recorded.map(({ context }) => context.traceId)).size).toBe(1);
  setRatio(mesh, orders.podIp, 0);
  await ask();
  expect(recorded.length).toBe(3);
});

it("records the share that a route's own policy asks for", async () => {
  await using mesh = await TestMesh.open();
  const recorded: Span[] = [];
  const web = await mesh.sidecar("web", { spans: { push: (span) => void recorded.push(span) } });
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (_request, response) => response.end("fine"));
  setRatio(mesh, orders.podIp, 0);
  const destination = mesh.resources.get("destination", "orders.shop.svc.cluster.local:80");
  if (destination?.kind !== "destination") throw new Error("no destination");
  const [route] = destination.value.routes as [Route];
  const checkout = { ...route, matches: [{ path: { kind: "prefix" as const, value: "/checkout" } }], samplingRatio: 1 };
  mesh.resources.set({ kind: "destination", value: { ...destination.value, routes: [checkout, route] } });
  await askThrough(web.podIp, "http://orders/items");
  expect(recorded).toEqual([]);
  await askThrough(web.podIp, "http://orders/checkout/1");
  expect(recorded).toHaveLength(2);
});
