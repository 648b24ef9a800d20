import { describe, expect, it } from "vitest";
import type { Permit } from "../../../model/circuit-breaker.ts";
import { type ErrorCode, MeshError } from "../../../model/errors.ts";
import { LiveEndpoint } from "../../../sidecar/balance/live-endpoint.ts";
import type { RequestHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { endpointAt, liveEndpoint, trippy } from "./endpoints.ts";

const grpcCall: Partial<RequestHead> = {
  method: "POST",
  headers: new HeaderFields(["content-type", "application/grpc"]),
};

/** One try, and how often its permit was settled, and how. */
function dispatched(head: Partial<RequestHead> = {}) {
  const clock = new HandClock();
  const { live, upstream } = liveEndpoint(clock, "10.0.0.1:80", trippy);
  const settled: string[] = [];
  const permit = {
    succeed: () => settled.push("succeeded"),
    fail: () => settled.push("failed"),
    abandon: () => settled.push("abandoned"),
  };
  const caller = new RecordingCaller();
  const exchange = exchangeOf(head);
  const sink = live.send(exchange, caller, permit, false);
  return { clock, live, settled, caller, sink, exchange, response: upstream.response, upstream };
}

const error = (code: ErrorCode) => new MeshError(code, "");

it("records for each try whether its endpoint is reached over mutual TLS", () => {
  const overTls = (more: { readonly identity?: string }) => {
    const endpoint = endpointAt("10.0.0.1:80", more);
    const upstream = new RecordingUpstream();
    const clock = new HandClock();
    const live = new LiveEndpoint(endpoint, upstream.service, { clock, isNew: false, onRoom() {} });
    const exchange = exchangeOf();
    live.send(exchange, new RecordingCaller(), live.admit(false) as Permit, false);
    return exchange.overMutualTls;
  };
  expect(overTls({ identity: "spiffe://demo/ns/shop/sa/orders" })).toBe(true);
  expect(overTls({})).toBe(false);
});

describe("a try", () => {
  it("counts as in progress until it ends, however it ends, and ends once", () => {
    const endings: ((one: ReturnType<typeof dispatched>) => void)[] = [
      ({ response }) => {
        response.head(responseHead(200));
        response.endResponse();
      },
      ({ response }) => response.abortResponse(error("upstream_reset")),
      ({ sink }) => sink.abortRequest(error("upstream_closed")),
    ];
    for (const end of endings) {
      const one = dispatched();
      expect(one.live.load.pending).toBe(1);
      one.sink.endRequest();
      end(one);
      one.sink.abortRequest(error("upstream_closed"));
      one.response.abortResponse(error("upstream_reset"));
      expect(one.live.load.pending).toBe(0);
      expect(one.settled).toHaveLength(1);
    }
  });

  it("counts as over when it is answered before the service returns", () => {
    const clock = new HandClock();
    const live = new LiveEndpoint(
      endpointAt("10.0.0.1:80"),
      (_exchange, response) => {
        response.head(responseHead(200));
        response.endResponse();
        return new RecordingUpstream();
      },
      { clock, isNew: false, onRoom() {} },
    );
    const caller = new RecordingCaller();
    live.send(exchangeOf(), caller, live.admit(false) as Permit, false).endRequest();
    expect(live.load.pending).toBe(0);
    expect(caller.calls).toEqual([
      ["head", 200],
      ["end", []],
    ]);
  });

  it("records its endpoint's address", () => {
    expect(dispatched().exchange.endpoint).toBe("10.0.0.1:80");
  });

  it("adds the time to its response head to the load", () => {
    const { clock, live, response } = dispatched();
    clock.advance(80);
    response.head(responseHead(200));
    clock.advance(1_000);
    response.endResponse();
    expect(live.load.cost).toBeCloseTo(80 * Math.exp(-0.1));
  });

  it("adds to the load how long a caller waited before it gave up", () => {
    const { clock, live, sink } = dispatched();
    clock.advance(700);
    sink.abortRequest(error("deadline_exceeded"));
    expect(live.load.cost).toBe(700);
  });
});

describe("a try at a peer", () => {
  const peer = "spiffe://demo/ns/shop/sa/orders";
  const wrongPod = { "tulle-error": "wrong_pod" };

  function dialled(identity?: string) {
    const one = dispatched();
    if (identity !== undefined) one.live.endpoint = endpointAt("10.0.0.1:80", { identity });
    return one;
  }

  it("fails as not processed if the peer says that the request was for another pod", () => {
    const { response, caller, upstream, live, settled, sink } = dialled(peer);
    const processed: string[] = [];
    caller.abortResponse = (told) => processed.push(`${told.code} ${told.processed}`);
    response.head(responseHead(421, wrongPod));
    response.writeResponse(Buffer.from("The request was meant for another pod."));
    response.endResponse();
    sink.endRequest();
    expect(processed).toEqual(["wrong_pod unprocessed"]);
    expect(upstream.calls).toEqual([["abort", "wrong_pod"]]);
    expect(caller.calls).toEqual([]);
    expect([live.load.pending, settled]).toEqual([0, ["failed"]]);
  });

  it.each([
    ["an application's own 421", peer, 421, {}],
    ["another error of the mesh", peer, 503, { "tulle-error": "connect_failed" }],
    ["what is said outside the mesh", undefined, 421, wrongPod],
  ])("forwards %s", (_what, identity, status, headers) => {
    const { response, caller } = dialled(identity);
    response.head(responseHead(status, headers));
    expect(caller.calls).toEqual([["head", status]]);
  });
});

describe("the permit", () => {
  it.each([
    [200, "succeeded"],
    [404, "succeeded"],
    [429, "succeeded"],
    [500, "failed"],
    [503, "failed"],
  ])("is settled by the head: %d %s", (status, how) => {
    const { response, settled } = dispatched();
    response.head(responseHead(status));
    expect(settled).toEqual([how]);
    response.writeResponse(Buffer.from("a"));
    response.abortResponse(error("upstream_reset"));
    expect(settled).toEqual([how]);
  });

  it.each(["connect_failed", "upstream_reset", "refused_stream", "idle_timeout"] as const)(
    "fails with %s from below",
    (code) => {
      const { response, settled } = dispatched();
      response.abortResponse(error(code));
      expect(settled).toEqual(["failed"]);
    },
  );

  it.each(["link_saturated", "unsupported", "bad_request"] as const)(
    "is returned with %s from below, which says nothing about the endpoint",
    (code) => {
      const { response, settled } = dispatched();
      response.abortResponse(error(code));
      expect(settled).toEqual(["abandoned"]);
    },
  );

  it.each(["try_timeout", "request_timeout", "idle_timeout"] as const)("fails when %s ends it from above", (code) => {
    const { sink, settled, upstream } = dispatched();
    sink.abortRequest(error(code));
    expect(settled).toEqual(["failed"]);
    expect(upstream.calls).toEqual([["abort", code]]);
  });

  it.each(["upstream_closed", "deadline_exceeded", "upstream_reset"] as const)(
    "is returned when the caller ends the request: %s",
    (code) => {
      const { sink, settled } = dispatched();
      sink.abortRequest(error(code));
      expect(settled).toEqual(["abandoned"]);
    },
  );
});

describe("the permit of a gRPC call", () => {
  it.each([
    ["14", "failed"],
    ["13", "failed"],
    ["0", "succeeded"],
    ["5", "succeeded"],
  ])("is settled by the trailers: status %s %s", (status, how) => {
    const { response, settled } = dispatched(grpcCall);
    response.head(responseHead(200));
    expect(settled).toEqual([]);
    response.endResponse(new HeaderFields(["grpc-status", status]));
    expect(settled).toEqual([how]);
  });

  it("is settled by the head if there is nothing else, or if it is not gRPC", () => {
    const only = dispatched(grpcCall);
    only.response.head(responseHead(200, { "grpc-status": "14" }));
    expect(only.settled).toEqual(["failed"]);
    const proxy = dispatched(grpcCall);
    proxy.response.head(responseHead(502));
    expect(proxy.settled).toEqual(["failed"]);
  });

  it("is settled by the first message: a stream is not a probe for as long as it lasts", () => {
    const { response, settled } = dispatched(grpcCall);
    response.head(responseHead(200));
    response.writeResponse(Buffer.alloc(0));
    expect(settled).toEqual([]);
    response.writeResponse(Buffer.from("message"));
    expect(settled).toEqual(["succeeded"]);
    response.endResponse(new HeaderFields(["grpc-status", "14"]));
    expect(settled).toEqual(["succeeded"]);
  });

  it("fails if the connection is lost after the head", () => {
    const { response, settled } = dispatched(grpcCall);
    response.head(responseHead(200));
    response.abortResponse(error("upstream_closed"));
    expect(settled).toEqual(["failed"]);
  });
});

it("admits everything if no policy asks for a breaker", () => {
  const { live } = liveEndpoint(new HandClock(), "10.0.0.1:80");
  const permit = live.admit(true);
  for (let i = 0; i < 10; i++) permit?.fail();
  expect([live.breakerState, live.awaitsProbe, live.admit(true)]).toEqual([undefined, false, permit]);
});
