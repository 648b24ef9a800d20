import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { nowhere, PassThrough } from "../../../sidecar/net/pass-through.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";

class Plain extends PassThrough {}

const error = new MeshError("upstream_reset", "");

function plain() {
  const caller = new RecordingCaller();
  const upstream = new RecordingUpstream();
  const layer = new Plain(caller);
  layer.attach(upstream.service(exchangeOf(), layer));
  return { caller, upstream, layer };
}

it("passes every call on, both ways, with its return value", () => {
  const { caller, upstream, layer } = plain();
  upstream.takesMore = false;
  expect(layer.writeRequest(Buffer.from("a"))).toBe(false);
  layer.endRequest(new HeaderFields(["t", "1"]));
  layer.resumeResponse();
  caller.takesMore = false;
  layer.informational(responseHead(103));
  layer.head(responseHead(200));
  expect(layer.writeResponse(Buffer.from("b"))).toBe(false);
  layer.resumeRequest();
  layer.endResponse(new HeaderFields(["t", "2"]));
  expect(upstream.calls).toEqual([["write", "a"], ["end", ["t", "1"]], ["resume"]]);
  expect(caller.calls).toEqual([
    ["informational", 103],
    ["head", 200],
    ["write", "b"],
    ["resume"],
    ["end", ["t", "2"]],
  ]);
});

it("passes nothing more up or down after the caller's abort", () => {
  const { caller, upstream, layer } = plain();
  layer.abortRequest(error);
  layer.abortRequest(error);
  layer.writeRequest(Buffer.from("late"));
  layer.head(responseHead(200));
  layer.abortResponse(error);
  layer.resumeRequest();
  expect(upstream.calls).toEqual([["abort", "upstream_reset"]]);
  expect(caller.calls).toEqual([]);
});

it("passes nothing more up or down after an abort from below", () => {
  const { caller, upstream, layer } = plain();
  layer.abortResponse(error);
  expect(layer.writeRequest(Buffer.from("late"))).toBe(true);
  layer.endRequest();
  layer.abortRequest(error);
  layer.endResponse();
  expect(caller.calls).toEqual([["abort", "upstream_reset"]]);
  expect(upstream.calls).toEqual([]);
});

it("sends nothing to a service that aborted before it returned", () => {
  const caller = new RecordingCaller();
  const layer = new Plain(caller);
  layer.abortResponse(error);
  const upstream = new RecordingUpstream();
  layer.attach(upstream);
  layer.writeRequest(Buffer.from("late"));
  layer.endRequest();
  expect(upstream.calls).toEqual([]);
});

it("swallows what is sent nowhere", () => {
  expect(nowhere.writeRequest(Buffer.from("a"))).toBe(true);
  nowhere.endRequest();
  nowhere.abortRequest(error);
  nowhere.resumeResponse();
});
