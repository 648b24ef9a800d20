import { expect, it } from "vitest";
import type { Route } from "../../../model/resources.ts";
import type { RequestHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { routeRequests } from "../../../sidecar/route/route-requests.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream } from "../../support/exchange.ts";

const routes: readonly Route[] = [
  route("testers", [{ headers: [{ name: "x-tester", kind: "present", value: "" }] }]),
  route("old", [{ path: { kind: "prefix", value: "/v1" } }, { query: [{ name: "v", kind: "exact", value: "1" }] }]),
  route("writes", [{ method: "POST" }], {}),
];

function route(name: string, matches: Route["matches"], timeout: Route["timeout"] = { connectMs: 250 }): Route {
  return { name, matches, backends: [], timeout };
}

function routed(head: Partial<RequestHead>, table = routes) {
  const taken: string[] = [];
  const caller = new RecordingCaller();
  const exchange = exchangeOf(head);
  const service = routeRequests(table, ({ name }) => (given, response) => {
    taken.push(name);
    return new RecordingUpstream().service(given, response);
  });
  service(exchange, caller).endRequest();
  return { taken, exchange, calls: caller.calls };
}

it.each<[string, Partial<RequestHead>]>([
  ["testers", { path: "/v1", headers: new HeaderFields(["x-tester", "yes"]) }],
  ["old", { path: "/v1/items?x=%2F" }],
  ["old", { path: "/%76%31/items" }],
  ["old", { path: "/other?a=b&v=1" }],
  ["writes", { path: "/v10", method: "POST" }],
])("sends it to %s", (name, head) => {
  const { taken, exchange } = routed(head);
  expect(taken).toEqual([name]);
  expect(exchange.route).toBe(name);
  expect(exchange.path).toBe(head.path);
});

it("passes on a route's connect timeout, or none if it is off", () => {
  expect(routed({ path: "/v1" }).exchange.connectTimeoutMs).toBe(250);
  expect(routed({ method: "POST" }).exchange.connectTimeoutMs).toBe(Number.POSITIVE_INFINITY);
});

it("answers once that no route matches, and drops the body", () => {
  const { taken, calls, exchange } = routed({ path: "/elsewhere?v=2" });
  expect([taken, calls, exchange.route]).toEqual([[], [["abort", "no_route"]], undefined]);
});

it("routes a tunnel, which has no path, by a route that matches everything", () => {
  const tunnel = { method: "CONNECT", path: "" };
  expect(routed(tunnel).calls).toEqual([["abort", "no_route"]]);
  expect(routed(tunnel, [route("default", [])]).taken).toEqual(["default"]);
});
