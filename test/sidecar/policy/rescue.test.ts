import { describe, expect, it } from "vitest";
import { errorCodes, MeshError } from "../../../model/errors.ts";
import type { RequestHead, ResponseHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import type { RescueOptions } from "../../../sidecar/policy/rescue.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { rescue } from "../../support/rescue.ts";

class AnsweredCaller extends RecordingCaller {
  answer: ResponseHead | undefined;

  override head(head: ResponseHead): void {
    this.answer = head;
    super.head(head);
  }

  field(name: string): string | undefined {
    return this.answer?.headers.get(name);
  }
}

function rescued(head: Partial<RequestHead> = {}, options: RescueOptions = {}) {
  const caller = new AnsweredCaller();
  const upstream = new RecordingUpstream();
  const sink = rescue(options)(upstream.service)(exchangeOf(head), caller);
  return { caller, upstream, sink };
}

const grpcCall: Partial<RequestHead> = {
  method: "POST",
  headers: new HeaderFields(["content-type", "application/grpc+proto"]),
};

describe("an error before the head", () => {
  it("becomes a response with the code and a sentence", () => {
    const { caller, upstream } = rescued();
    upstream.response.abortResponse(new MeshError("connect_failed", "endpoint 10.1.2.3:8080"));
    const body = "No connection to the endpoint could be made. endpoint 10.1.2.3:8080\n";
    expect(caller.calls).toEqual([
      ["head", 503],
      ["write", body],
      ["end", []],
    ]);
    expect(caller.field("tulle-error")).toBe("connect_failed");
    expect(caller.field("content-type")).toBe("text/plain; charset=utf-8");
    expect(caller.field("content-length")).toBe(String(body.length));
    expect(caller.field("retry-after")).toBeUndefined();
  });

  it.each(Object.keys(errorCodes) as (keyof typeof errorCodes)[])("%s has the statuses of the table", (code) => {
    const http = rescued();
    http.upstream.response.abortResponse(new MeshError(code, ""));
    expect(http.caller.answer?.status).toBe(errorCodes[code].http);
    const grpc = rescued(grpcCall);
    grpc.upstream.response.abortResponse(new MeshError(code, ""));
    expect(grpc.caller.field("grpc-status")).toBe(String(errorCodes[code].grpc));
  });

  it("is trailers-only for gRPC, with a message that survives as a header", () => {
    const { caller, upstream } = rescued(grpcCall);
    upstream.response.abortResponse(new MeshError("circuit_open", "Größe 100 %\r\nx: y"));
    expect(caller.calls).toEqual([
      ["head", 200],
      ["end", []],
    ]);
    expect(caller.answer?.bodyless).toBe(true);
    expect(caller.field("content-type")).toBe("application/grpc");
    expect(caller.field("grpc-message")).toBe(
      "circuit_open: Every endpoint's circuit breaker is open. Gr%C3%B6%C3%9Fe 100 %25%0D%0Ax: y",
    );
  });

  it("has no body for HEAD, and the length that it would have", () => {
    const { caller, upstream } = rescued({ method: "HEAD" });
    upstream.response.abortResponse(new MeshError("no_endpoints", "orders"));
    expect(caller.calls).toEqual([
      ["head", 503],
      ["end", []],
    ]);
    expect(caller.answer?.bodyless).toBe(true);
    expect(caller.field("content-length")).toBe(String("The service has no ready endpoint. orders\n".length));
  });

  it.each([
    [0, "1"],
    [1, "1"],
    [1_000, "1"],
    [1_001, "2"],
    [29_500, "30"],
  ])("%d ms until another try may help is Retry-After: %s", (retryAfterMs, seconds) => {
    const { caller, upstream } = rescued();
    upstream.response.abortResponse(new MeshError("circuit_open", "", { retryAfterMs }));
    expect(caller.field("retry-after")).toBe(seconds);
  });

  it("is passed on if the caller understands it, and answered if not", () => {
    const passed = rescued({}, { passOn: ["refused_stream"] });
    passed.upstream.response.abortResponse(new MeshError("refused_stream", ""));
    expect(passed.caller.calls).toEqual([["abort", "refused_stream"]]);
    const answered = rescued({}, { passOn: ["refused_stream"] });
    answered.upstream.response.abortResponse(new MeshError("wrong_pod", ""));
    expect(answered.caller.calls[0]).toEqual(["head", 421]);
  });

  it("is also answered before the service has returned, and the rest of the request is dropped", () => {
    const caller = new AnsweredCaller();
    const upstream = new RecordingUpstream();
    const sink = rescue()((exchange, response) => {
      response.abortResponse(new MeshError("no_route", exchange.path));
      return upstream;
    })(exchangeOf({ method: "POST", bodyless: false }), caller);
    expect(sink.writeRequest(Buffer.from("body"))).toBe(true);
    sink.endRequest();
    sink.abortRequest(new MeshError("upstream_closed", ""));
    expect(caller.calls[0]).toEqual(["head", 404]);
    expect(upstream.calls).toEqual([]);
  });

  it("may follow informational heads", () => {
    const { caller, upstream } = rescued();
    upstream.response.informational(responseHead(103));
    upstream.response.abortResponse(new MeshError("upstream_reset", ""));
    expect(caller.calls.slice(0, 2)).toEqual([
      ["informational", 103],
      ["head", 502],
    ]);
  });
});

it("cuts the exchange when an error comes after the head", () => {
  const { caller, upstream } = rescued();
  upstream.response.head(responseHead(200));
  upstream.response.writeResponse(Buffer.from("half"));
  upstream.response.abortResponse(new MeshError("upstream_closed", ""));
  expect(caller.calls).toEqual([
    ["head", 200],
    ["write", "half"],
    ["abort", "upstream_closed"],
  ]);
});

it("does not answer a caller that has given up", () => {
  const { caller, upstream, sink } = rescued();
  sink.abortRequest(new MeshError("upstream_closed", ""));
  upstream.response.abortResponse(new MeshError("upstream_reset", ""));
  expect(caller.calls).toEqual([]);
  expect(upstream.calls).toEqual([["abort", "upstream_closed"]]);
});
