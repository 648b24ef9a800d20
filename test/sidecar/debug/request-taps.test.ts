import { beforeEach, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { maxTaps, RequestTaps, showRequests, type TappedRequest } from "../../../sidecar/debug/request-taps.ts";
import type { Service } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

let clock: HandClock;
let taps: RequestTaps;
let upstream: RecordingUpstream;
let seen: TappedRequest[];
const reader = {
  take: (request: TappedRequest) => {
    seen.push(request);
    return true;
  },
};

beforeEach(() => {
  clock = new HandClock(1_000);
  taps = new RequestTaps(clock);
  upstream = new RecordingUpstream();
  seen = [];
});

function service(direction: "inbound" | "outbound" = "outbound"): Service {
  const where = { workload: "shop/web", service: "shop/orders", direction };
  return showRequests({ ...where, taps, clock, unixNow: () => 5_000 })(upstream.service);
}

function answer(status: number, fields: Record<string, string> = {}): void {
  upstream.response.head(responseHead(status, fields));
  upstream.response.writeResponse(Buffer.from("body"));
  upstream.response.endResponse();
}

it("is out of the way while nobody watches", () => {
  const caller = new RecordingCaller();
  expect(service()(exchangeOf(), caller)).toBe(upstream);
  expect(upstream.response).toBe(caller);
});

it("reports how a request ended, without its query, fields and body", () => {
  taps.open({}, 10, reader);
  const exchange = exchangeOf({ method: "POST", path: "/orders?card=4111", bodyless: false });
  exchange.headers.append("authorization", "Bearer secret");
  const sink = service()(exchange, new RecordingCaller());
  Object.assign(exchange, {
    route: "default",
    backend: "shop/orders",
    endpoint: "10.0.0.1:80",
    attempt: 2,
    path: "/b",
  });
  sink.writeRequest(Buffer.from("secret"));
  sink.endRequest();
  clock.advance(12.5);
  answer(503, { "tulle-error": "circuit_open" });
  expect(seen).toEqual([
    {
      atMs: 5_000,
      direction: "outbound",
      from: "shop/web",
      to: "shop/orders",
      backend: "shop/orders",
      endpoint: "10.0.0.1:80",
      method: "POST",
      authority: "orders.shop:80",
      path: "/orders",
      status: 503,
      error: "circuit_open",
      durationMs: 12.5,
      requestBytes: 6,
      responseBytes: 4,
      route: "default",
      attempts: 2,
    },
  ]);
});

it("names the operation of a GraphQL request", () => {
  taps.open({}, 10, reader);
  const headers = new HeaderFields(["content-type", "application/json"]);
  const sink = service()(exchangeOf({ method: "POST", path: "/graphql", headers }), new RecordingCaller());
  sink.writeRequest(Buffer.from(JSON.stringify({ query: "{ items { id } }" })));
  sink.endRequest();
  answer(200);
  expect(seen).toMatchObject([{ path: "/graphql", operation: "query" }]);
});

it("names a caller by its identity, and one in the clear by none", () => {
  taps.open({}, 10, reader);
  for (const peer of ["spiffe://cluster.local/ns/shop/sa/web", undefined]) {
    const exchange = exchangeOf();
    exchange.peer = peer;
    service("inbound")(exchange, new RecordingCaller());
    answer(200);
  }
  expect(seen.map(({ from, to }) => [from, to])).toEqual([
    ["shop/web", "shop/orders"],
    ["", "shop/orders"],
  ]);
});

it("reports responses that broke off, and requests whose caller left", () => {
  taps.open({ errors: true }, 10, reader);
  service()(exchangeOf(), new RecordingCaller());
  upstream.response.abortResponse(new MeshError("upstream_reset", "gone"));
  service()(exchangeOf(), new RecordingCaller()).abortRequest(new MeshError("upstream_closed", "gone"));
  expect(seen.map(({ status, error }) => [status, error])).toEqual([
    [0, "upstream_reset"],
    [0, "upstream_closed"],
  ]);
});

it("reports no more than the requested rate, and counts the rest", () => {
  const tap = taps.open({}, 2, reader);
  const send = () => {
    service()(exchangeOf(), new RecordingCaller());
    answer(200);
  };
  for (let i = 0; i < 5; i++) send();
  expect([seen.length, tap?.takeMissed(), tap?.takeMissed()]).toEqual([2, 3, 0]);
  clock.advance(500);
  send();
  expect(seen).toHaveLength(3);
});

it("counts what a slow reader missed, and limits the number of readers", () => {
  const slow = taps.open({}, 10, { take: () => false });
  service()(exchangeOf(), new RecordingCaller());
  answer(200);
  expect(slow?.takeMissed()).toBe(1);
  const others = Array.from({ length: maxTaps - 1 }, () => taps.open({}, 10, reader));
  expect(taps.open({}, 10, reader)).toBeUndefined();
  slow?.close();
  for (const other of others) other?.close();
  expect(taps.isIdle).toBe(true);
});
