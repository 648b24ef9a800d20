import { describe, expect, it } from "vitest";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { responseHead } from "../../support/exchange.ts";
import { gone, put, retrying } from "./retrying.ts";

describe("a try that is given up", () => {
  it("is read to its end if its request was complete, and the caller gets nothing of it", () => {
    const { sink, answer, last, caller, pass, tries } = retrying();
    sink.endRequest();
    answer(503);
    const first = last();
    expect(first.response.writeResponse(Buffer.from("busy"))).toBe(true);
    first.response.informational(responseHead(103));
    first.response.endResponse();
    pass(2_000);
    expect(first.calls).toEqual([["end", []]]);
    expect(caller.calls).toEqual([]);
    expect(tries).toHaveLength(2);
  });

  it("is aborted if its request was not", () => {
    const { answer, last } = retrying({ head: put });
    answer(503);
    expect(last().calls).toEqual([["abort", "upstream_reset"]]);
  });

  it("is aborted if the rest of its response is large", () => {
    const { sink, answer, last } = retrying();
    sink.endRequest();
    answer(503);
    const first = last();
    for (let i = 0; i < 5; i++) first.response.writeResponse(Buffer.alloc(16_384));
    expect(first.calls).toEqual([
      ["end", []],
      ["abort", "upstream_reset"],
    ]);
  });

  it("is aborted if the rest of its response does not come", () => {
    const { sink, answer, last, pass } = retrying();
    sink.endRequest();
    answer(503);
    const first = last();
    pass(1_020);
    expect(first.calls).toEqual([
      ["end", []],
      ["abort", "upstream_reset"],
    ]);
    first.response.abortResponse(gone);
  });

  it("is aborted if it was answered before the service returned", () => {
    const { tries, pass, caller } = retrying({ atOnce: [(response) => response.head(responseHead(503))] });
    expect(tries[0]?.calls).toEqual([["abort", "upstream_reset"]]);
    pass(120);
    expect(tries).toHaveLength(2);
    expect(caller.calls).toEqual([]);
  });
});

describe("each try is counted once", () => {
  it("by its response, even if another try follows", () => {
    const { sink, answer, last, pass, ended } = retrying();
    sink.endRequest();
    answer(503);
    expect(ended).toEqual([]);
    last().response.endResponse();
    pass(120);
    answer(200);
    last().response.endResponse(new HeaderFields(["grpc-status", "0"]));
    expect(ended).toEqual(["503", "grpc 0"]);
  });

  it("by the reason for its failure, before its head or after it", () => {
    const { answer, fail, pass, ended } = retrying();
    fail("connect_failed");
    pass(120);
    answer(200);
    fail("upstream_reset");
    expect(ended).toEqual(["connect_failed", "upstream_reset"]);
  });

  it("as abandoned if its caller leaves, or if it is given up for another", () => {
    const { answer, pass, sink, ended } = retrying({ head: put });
    answer(503);
    expect(ended).toEqual(["abandoned"]);
    pass(120);
    sink.abortRequest(gone);
    expect(ended).toEqual(["abandoned", "abandoned"]);
  });

  it("and not at all between two tries, or after its end", () => {
    const { fail, sink, ended } = retrying();
    fail("connect_failed");
    sink.abortRequest(gone);
    const whole = retrying();
    whole.answer(200);
    whole.last().response.endResponse();
    whole.sink.abortRequest(gone);
    expect([ended, whole.ended]).toEqual([["connect_failed"], ["200"]]);
  });

  it("as abandoned if its caller leaves while it is being sent", () => {
    const { fail, sink, pass, ended } = retrying({ atOnce: [() => {}, () => sink.abortRequest(gone)] });
    fail("connect_failed");
    pass(120);
    expect(ended).toEqual(["connect_failed", "abandoned"]);
  });
});
