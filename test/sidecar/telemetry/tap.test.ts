import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { type Ending, Tap } from "../../../sidecar/telemetry/tap.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";

class Watcher extends Tap {
  readonly endings: Ending[] = [];
  protected override ended(ending: Ending): void {
    this.endings.push(ending);
  }
}

function between(): { caller: RecordingCaller; upstream: RecordingUpstream; watcher: Watcher } {
  const caller = new RecordingCaller();
  const upstream = new RecordingUpstream();
  const watcher = new Watcher(exchangeOf(), caller);
  watcher.through(upstream.service);
  return { caller, upstream, watcher };
}

it("passes every call on as it came, both ways", () => {
  const { caller, upstream, watcher } = between();
  const trailers = new HeaderFields(["grpc-status", "0"]);
  upstream.takesMore = caller.takesMore = false;
  expect(watcher.writeRequest(Buffer.from("a"))).toBe(false);
  watcher.endRequest(trailers);
  watcher.resumeResponse();
  const { response } = upstream;
  response.informational(responseHead(103));
  response.resumeRequest();
  response.head(responseHead(200));
  expect(response.writeResponse(Buffer.from("b"))).toBe(false);
  response.endResponse(trailers);
  expect(upstream.calls).toEqual([["write", "a"], ["end", trailers.flat], ["resume"]]);
  expect(caller.calls).toEqual([
    ["informational", 103],
    ["resume"],
    ["head", 200],
    ["write", "b"],
    ["end", trailers.flat],
  ]);
  expect(watcher.endings).toEqual(["answered"]);
});

it("reports only one end, whatever comes after it", () => {
  const gone = new MeshError("upstream_closed", "gone");
  const { upstream, watcher } = between();
  upstream.response.abortResponse(gone);
  watcher.abortRequest(gone);
  expect(watcher.endings).toEqual(["failed"]);

  const other = between();
  other.watcher.abortRequest(gone);
  other.upstream.response.endResponse();
  expect(other.watcher.endings).toEqual(["abandoned"]);
});

it("accepts a response that comes before the service has returned", () => {
  const caller = new RecordingCaller();
  const watcher = new Watcher(exchangeOf(), caller);
  const sink = watcher.through((_exchange, response) => {
    response.head(responseHead(204));
    response.endResponse();
    return new RecordingUpstream();
  });
  expect(watcher.endings).toEqual(["answered"]);
  expect(sink.writeRequest(Buffer.from("late"))).toBe(true);
});
