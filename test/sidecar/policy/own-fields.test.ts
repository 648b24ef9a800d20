import { describe, expect, it } from "vitest";
import type { Exchange, Layer } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import {
  carryDeadline,
  identifyCaller,
  takeAttempt,
  takeOwnFields,
  withholdOwnFields,
} from "../../../sidecar/policy/own-fields.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

const clock = new HandClock(5_000);
const grpc = ["content-type", "application/grpc"];

function through(layer: Layer, flat: string[], prepare: (exchange: Exchange) => void = () => {}): Exchange {
  const upstream = new RecordingUpstream();
  const exchange = exchangeOf({ headers: new HeaderFields(flat) });
  prepare(exchange);
  layer(upstream.service)(exchange, new RecordingCaller());
  return upstream.exchange;
}

describe("taking the mesh's own fields", () => {
  it("removes every one, whoever set it, and leaves all others", () => {
    const { headers } = through(takeOwnFields(clock), [
      "tulle-client-id",
      "spiffe://cluster.local/ns/shop/sa/admin",
      "x-forwarded-for",
      "1.2.3.4",
      "tulle-attempt",
      "7",
      "tulle",
      "kept",
      "tulle-client-id",
      "another",
      "tulle_client_id",
      "what an application reads as the same",
      "x-tulle-attempt",
      "kept",
    ]);
    expect(headers.flat).toEqual(["x-forwarded-for", "1.2.3.4", "tulle", "kept", "x-tulle-attempt", "kept"]);
  });

  it("reads the caller's deadline", () => {
    expect(through(takeOwnFields(clock), ["tulle-deadline", "250m"]).deadlineAtMs).toBe(5_250);
    expect(through(takeOwnFields(clock), [...grpc, "grpc-timeout", "2S"]).deadlineAtMs).toBe(7_000);
  });

  it.each([
    ["a time in another syntax", ["tulle-deadline", "250ms"]],
    ["no time", []],
    ["grpc-timeout on what is not gRPC", ["grpc-timeout", "2S"]],
    ["tulle-deadline on gRPC, which has a field for it", [...grpc, "tulle-deadline", "2S"]],
  ])("reads %s as no limit", (_what, flat) => {
    expect(through(takeOwnFields(clock), flat).deadlineAtMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("forwards gRPC's own field to the application", () => {
    expect(through(takeOwnFields(clock), [...grpc, "grpc-timeout", "2S"]).headers.get("grpc-timeout")).toBe("2S");
  });
});

it.each([
  ["2", 2],
  ["0", 1],
  ["-3", 1],
  ["1e9", 1],
  ["123456", 1],
])("reads a peer's attempt %s as %d", (told, attempt) => {
  expect(through(takeAttempt(), ["tulle-attempt", told]).callerAttempt).toBe(attempt);
});

describe("carrying a deadline", () => {
  it("sends the remaining time in the protocol's own field", () => {
    const at = (ms: number) => (exchange: Exchange) => {
      exchange.deadlineAtMs = ms;
    };
    expect(through(carryDeadline(clock), [], at(5_250)).headers.flat).toEqual(["tulle-deadline", "250000u"]);
    const call = through(carryDeadline(clock), [...grpc, "grpc-timeout", "9H"], at(5_250));
    expect(call.headers.flat).toEqual([...grpc, "grpc-timeout", "250000u"]);
    expect(through(carryDeadline(clock), [], at(4_000)).headers.get("tulle-deadline")).toBe("0m");
  });

  it("sends nothing if there is no deadline", () => {
    expect(through(carryDeadline(clock), []).headers.flat).toEqual([]);
  });

  it("sends with each try the time that is left for it", () => {
    const hand = new HandClock();
    const upstream = new RecordingUpstream();
    const service = carryDeadline(hand)(upstream.service);
    const exchange = exchangeOf();
    exchange.deadlineAtMs = 1_000;
    service(exchange, new RecordingCaller());
    hand.advance(400);
    service(exchange, new RecordingCaller());
    expect(exchange.headers.flat).toEqual(["tulle-deadline", "600000u"]);
  });
});

it("names the caller to the application by its certificate, and nobody else", () => {
  const known = through(identifyCaller(), [], (exchange) => {
    exchange.peer = "spiffe://cluster.local/ns/shop/sa/web";
  });
  expect(known.headers.flat).toEqual(["tulle-client-id", "spiffe://cluster.local/ns/shop/sa/web"]);
  expect(through(identifyCaller(), []).headers.flat).toEqual([]);
});

describe("towards destinations outside the mesh", () => {
  it("withholds every field of the mesh's own", () => {
    const { headers } = through(withholdOwnFields(), ["tulle-target", "10.0.0.1:80", "accept", "*/*"]);
    expect(headers.flat).toEqual(["accept", "*/*"]);
  });

  it("does not take their fields for the mesh's own", () => {
    const upstream = new RecordingUpstream();
    const caller = new RecordingCaller();
    const heads: string[][] = [];
    caller.head = ({ headers }) => heads.push(headers.flat);
    caller.informational = ({ headers }) => heads.push(headers.flat);
    withholdOwnFields()(upstream.service)(exchangeOf(), caller);
    upstream.response.informational(responseHead(103, { "tulle-error": "wrong_pod", link: "</a>" }));
    upstream.response.head(responseHead(421, { "tulle-error": "wrong_pod", "tulle-retried": "2", age: "1" }));
    expect(heads).toEqual([
      ["link", "</a>"],
      ["age", "1"],
    ]);
  });
});
