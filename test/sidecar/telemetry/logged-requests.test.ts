import { describe, expect, it } from "vitest";
import type { AccessLog } from "../../../model/policy.ts";
import type { Destination, Inbound, Route } from "../../../model/resources.ts";
import { loggedByPort, loggedByRoute, parseAccessLog } from "../../../sidecar/telemetry/logged-requests.ts";
import { exchangeOf } from "../../support/exchange.ts";

const none: AccessLog = { requests: "none", ratio: 1 };
const errors: AccessLog = { requests: "errors", ratio: 1 };
const some: AccessLog = { requests: "all", ratio: 0.1 };

describe("loggedByRoute", () => {
  const service = { namespace: "shop", name: "orders" };
  const destination: Destination = { name: "orders.shop:80", service, protocol: "http1", routes: [] };
  const route = (name: string, accessLog?: AccessLog): Route => ({
    name,
    matches: [],
    backends: [],
    timeout: {},
    ...(accessLog && { accessLog }),
  });
  const taking = (name: string) => Object.assign(exchangeOf(), { route: name });

  it("uses the route's setting, else the destination's, else the sidecar's", () => {
    const routes = [route("a", some), route("b")];
    const logged = loggedByRoute(none, { ...destination, routes, accessLog: errors });
    expect(logged.of(taking("a"))).toBe(some);
    expect(logged.of(taking("b"))).toBe(errors);
    expect(logged.of(exchangeOf())).toBe(errors);
    expect(loggedByRoute(some, destination).of(exchangeOf())).toBe(some);
  });

  it("knows the largest share among them", () => {
    expect(loggedByRoute(none, destination).atMost()).toBe(0);
    expect(loggedByRoute(none, { ...destination, routes: [route("a", some)] }).atMost()).toBe(0.1);
    expect(loggedByRoute(errors, { ...destination, accessLog: none }).atMost()).toBe(0);
  });
});

describe("loggedByPort", () => {
  const at = (port: number, accessLog?: AccessLog) => ({
    port,
    protocol: "http1" as const,
    ...(accessLog && { accessLog }),
  });

  it("uses the setting of the port called, and that for other ports before it is known", () => {
    const inbound: Inbound = { name: "shop/web", ports: [at(80, some), at(81)], elsewhere: { accessLog: errors } };
    const logged = loggedByPort(none, () => inbound);
    expect(logged.of(Object.assign(exchangeOf(), { target: inbound.ports[0] }))).toBe(some);
    expect(logged.of(Object.assign(exchangeOf(), { target: inbound.ports[1] }))).toBe(none);
    expect(logged.of(exchangeOf())).toBe(errors);
    expect(loggedByPort(some, () => undefined).of(exchangeOf())).toBe(some);
  });

  it("follows updates", () => {
    let inbound: Inbound | undefined;
    const logged = loggedByPort(none, () => inbound);
    expect(logged.atMost()).toBe(0);
    inbound = { name: "shop/web", ports: [at(80)], unlisted: [at(81, some)] };
    expect(logged.atMost()).toBe(0.1);
    inbound = { name: "shop/web", ports: [at(80)] };
    expect(logged.atMost()).toBe(0);
  });
});

it.each([
  [undefined, none],
  ["off", none],
  ["errors", errors],
  ["all", { requests: "all", ratio: 1 }],
  ["0.1", some],
])("reads TULLE_ACCESS_LOG=%s", (text, value) => {
  expect(parseAccessLog(text)).toEqual({ ok: true, value });
});

it.each(["on", "2", "-1", "5%"])("refuses TULLE_ACCESS_LOG=%s", (text) => {
  expect(parseAccessLog(text)).toMatchObject({ ok: false, error: { path: "TULLE_ACCESS_LOG" } });
});
