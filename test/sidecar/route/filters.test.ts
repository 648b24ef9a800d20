import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { HeaderEdits, Route, RouteFilter } from "../../../model/resources.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { filterRequests, filterTries } from "../../../sidecar/route/filters.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";

const edits: HeaderEdits = { set: [["x-set", "new"]], add: [["x-add", "more"]], remove: ["x-gone"] };

function routeWith(filters: readonly RouteFilter[], prefix?: string): Route {
  return {
    name: "HTTPRoute shop/orders rule 0",
    matches: prefix === undefined ? [] : [{ path: { kind: "prefix", value: prefix } }],
    backends: [],
    timeout: {},
    filters,
  };
}

function send(route: Route, exchange = exchangeOf()) {
  const upstream = new RecordingUpstream();
  const caller = new RecordingCaller();
  const sink = filterRequests(route)(upstream.service)(exchange, caller);
  return { upstream, caller, sink, exchange };
}

describe("filters of a route", () => {
  it("set, add and remove fields of the request, in this order", () => {
    const headers = new HeaderFields(["x-set", "old", "x-set", "older", "x-add", "one", "x-gone", "1", "x-kept", "1"]);
    const { exchange } = send(routeWith([{ kind: "request-headers", ...edits }]), exchangeOf({ headers }));
    expect(exchange.headers.flat).toEqual(["x-add", "one", "x-kept", "1", "x-set", "new", "x-add", "more"]);
  });

  it("edit the fields of the response, and forward its body", () => {
    const { upstream, caller } = send(routeWith([{ kind: "response-headers", ...edits }]));
    const head = responseHead(200, { "x-gone": "1" });
    upstream.response.head(head);
    upstream.response.writeResponse(Buffer.from("body"));
    upstream.response.endResponse();
    expect(head.headers.flat).toEqual(["x-set", "new", "x-add", "more"]);
    expect(caller.calls).toEqual([
      ["head", 200],
      ["write", "body"],
      ["end", []],
    ]);
  });

  it("replace the prefix that the route matched, and the host", () => {
    const rewrite: RouteFilter = { kind: "rewrite", hostname: "legacy", path: { kind: "prefix", value: "/v1" } };
    const { exchange } = send(routeWith([rewrite], "/api"), exchangeOf({ path: "/api/items?q=/api" }));
    expect([exchange.authority, exchange.path]).toEqual(["legacy", "/v1/items?q=/api"]);
  });

  it.each([
    { path: "*", method: "OPTIONS" },
    { path: "", method: "CONNECT" },
  ])("leave $path$method alone", (head) => {
    const rewrite: RouteFilter = { kind: "rewrite", path: { kind: "full", value: "/x" } };
    expect(send(routeWith([rewrite]), exchangeOf(head)).exchange.path).toBe(head.path);
  });

  it("redirect without asking anyone", () => {
    const redirect: RouteFilter = { kind: "redirect", scheme: "https", hostname: "new.example", status: 301 };
    const { upstream, caller, sink } = send(routeWith([redirect]), exchangeOf({ method: "POST", path: "/a?b" }));
    sink.writeRequest(Buffer.from("body"));
    sink.endRequest();
    expect(caller.calls).toEqual([
      ["head", 301],
      ["end", []],
    ]);
    expect(upstream.calls).toEqual([]);
  });

  it("also edit the response of a redirect", () => {
    const heads: string[][] = [];
    class Caller extends RecordingCaller {
      override head(head: ReturnType<typeof responseHead>): void {
        heads.push(head.headers.flat);
      }
    }
    const filters: RouteFilter[] = [
      { kind: "response-headers", ...edits },
      { kind: "redirect", hostname: "new.example", status: 302 },
    ];
    filterRequests(routeWith(filters))(new RecordingUpstream().service)(exchangeOf({ path: "/a" }), new Caller());
    const location = ["location", "http://new.example/a"];
    expect(heads).toEqual([[...location, "content-length", "0", "x-set", "new", "x-add", "more"]]);
  });

  it("refuse a request if the mesh does not support one of them", () => {
    const { upstream, caller } = send(routeWith([{ kind: "unsupported", type: "ExtensionRef" }]));
    expect(caller.calls).toEqual([["abort", "invalid_route"]]);
    expect(() => upstream.exchange).toThrow("no request");
  });
});

describe("filters of a backend", () => {
  const filters: RouteFilter[] = [
    { kind: "request-headers", ...edits },
    { kind: "rewrite", hostname: "legacy", path: { kind: "full", value: "/v1" } },
    { kind: "response-headers", ...edits },
  ];

  function tryOnce() {
    const upstream = new RecordingUpstream();
    const caller = new RecordingCaller();
    const headers = new HeaderFields(["x-set", "old"]);
    const exchange = exchangeOf({ headers, path: "/orders" });
    const sink = filterTries(routeWith([]), filters)(upstream.service)(exchange, caller);
    const state = () => [exchange.authority, exchange.path, exchange.headers.flat];
    return { upstream, caller, sink, state };
  }
  const asSent = ["orders.shop:80", "/orders", ["x-set", "old"]];

  it("apply to one try", () => {
    expect(tryOnce().state()).toEqual(["legacy", "/v1", ["x-set", "new", "x-add", "more"]]);
  });

  it("are undone before a retry can judge the response", () => {
    const { upstream, caller, state } = tryOnce();
    const states: unknown[] = [];
    caller.head = () => void states.push(state());
    upstream.response.head(responseHead(503));
    expect(states).toEqual([asSent]);
  });

  it("are undone before a retry can judge the failure", () => {
    const { upstream, caller, state } = tryOnce();
    const states: unknown[] = [];
    caller.abortResponse = () => void states.push(state());
    upstream.response.abortResponse(new MeshError("connect_failed", "nobody"));
    expect(states).toEqual([asSent]);
  });

  it("are undone when the try is given up", () => {
    const { sink, state, upstream } = tryOnce();
    sink.abortRequest(new MeshError("try_timeout", "too late"));
    expect(state()).toEqual(asSent);
    expect(upstream.calls).toEqual([["abort", "try_timeout"]]);
  });
});
