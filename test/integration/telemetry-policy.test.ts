import { expect, it } from "vitest";
import type { AccessLog } from "../../model/policy.ts";
import type { Route } from "../../model/resources.ts";
import type { Span } from "../../sidecar/telemetry/span.ts";
import { RecordedLog } from "../support/recorded-log.ts";
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

it("logs the requests selected by policy, at each end by its own, from the next request on", async () => {
  await using mesh = await TestMesh.open();
  const [ofWeb, ofOrders] = [new RecordedLog(), new RecordedLog()];
  const web = await mesh.sidecar("web", { log: ofWeb.write });
  const orders = await mesh.sidecar("orders", { log: ofOrders.write });
  await mesh.application(orders.podIp, (request, response) => {
    response.statusCode = request.url === "/broken" ? 500 : 200;
    response.end();
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  const ask = (path: string) => askThrough(web.podIp, `http://orders${path}`);
  const inbound = (accessLog?: AccessLog) =>
    mesh.resources.set({
      kind: "inbound",
      value: {
        name: "shop/orders",
        ports: [{ port: 8080, protocol: "detect", ...(accessLog !== undefined && { accessLog }) }],
      },
    });
  await ask("/");
  const name = "orders.shop.svc.cluster.local:80";
  const destination = mesh.resources.get("destination", name);
  if (destination?.kind !== "destination") throw new Error("no destination");
  mesh.resources.set({
    kind: "destination",
    value: { ...destination.value, accessLog: { requests: "errors", ratio: 1 } },
  });
  inbound({ requests: "all", ratio: 1 });
  await ask("/fine?token=t0p");
  await ask("/broken");
  inbound();
  await ask("/broken");
  const told = ({ lines }: RecordedLog) =>
    lines.flatMap(({ message, fields }) =>
      message === "request" ? [[fields["direction"], fields["path"], fields["status"]]] : [],
    );
  expect(told(ofWeb)).toEqual([
    ["outbound", "/broken", 500],
    ["outbound", "/broken", 500],
  ]);
  expect(told(ofOrders)).toEqual([
    ["inbound", "/fine", 200],
    ["inbound", "/broken", 500],
  ]);
});
