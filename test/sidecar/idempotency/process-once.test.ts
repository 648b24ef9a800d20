import { beforeEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { answer, gone, KeyedMesh, paid, rules, type Taken } from "./keyed-mesh.ts";

let mesh: KeyedMesh;

beforeEach(() => {
  mesh = new KeyedMesh();
});

function taken(index: number): Taken {
  return mesh.takenAt(index);
}

describe("a request with a key", () => {
  it("is processed once, and its answer is given to repeats", () => {
    const first = mesh.ask();
    answer(taken(0));
    const second = mesh.ask();
    expect(first.caller.calls).toEqual(paid);
    expect(second.caller.calls).toEqual(paid);
    expect(mesh.taken.length).toBe(1);
    expect(mesh.outcomes).toEqual(["processed", "kept", "replayed"]);
  });

  it("gets exactly the same fields, body and trailers, and one more field", () => {
    mesh.ask();
    const fields = ["set-cookie", "a=1", "set-cookie", "b=2", "etag", '"x"'];
    answer(taken(0), 200, "caf\u00e9", ["x-sum", "1"], fields);
    const again = mesh.begin();
    let replayed: HeaderFields | undefined;
    again.caller.head = ({ headers }) => {
      replayed = headers;
    };
    again.sink.writeRequest(Buffer.from("body"));
    again.sink.endRequest();
    expect(replayed?.flat).toEqual([...fields, "tulle-idempotent-replay", "true"]);
    expect(again.caller.calls).toEqual([
      ["write", Buffer.from("caf\u00e9").toString("latin1")],
      ["end", ["x-sum", "1"]],
    ]);
  });

  it("is a different one for another caller or another key", () => {
    mesh.ask();
    mesh.ask({ peer: "spiffe://a/ns/shop/sa/web2" });
    mesh.ask({ key: "k2" });
    expect(mesh.taken.length).toBe(3);
  });

  it("passes untouched if no policy applies, or not to its method", () => {
    mesh.ask({ method: "GET" }, "");
    mesh.ask({ method: "GET" }, "");
    expect(mesh.taken.length).toBe(2);
    expect(mesh.outcomes).toEqual([]);
  });

  it("is new again when the answer has expired", () => {
    mesh.ask();
    answer(taken(0));
    mesh.pass(rules.ttlMs - 1);
    expect(mesh.ask().caller.calls).toEqual(paid);
    mesh.pass(1);
    mesh.ask();
    expect(mesh.taken.length).toBe(2);
  });

  it("keeps its answer when the policy changes", () => {
    mesh.ask();
    answer(taken(0));
    mesh.ask({ rules: { ...rules, ttlMs: 1_000, required: true, maxAnswerBytes: 0 } });
    mesh.ask({ rules: { ...rules, name: "shop/other" } });
    expect(mesh.taken.length).toBe(1);
  });

  it("must have a key if the policy requires one", () => {
    const asked = mesh.begin({ rules: { ...rules, required: true }, headers: new HeaderFields() });
    expect(asked.caller.calls).toEqual([["abort", "idempotency_key_missing"]]);
    expect(mesh.ask({ key: "" }).caller.calls).toEqual([["abort", "idempotency_key_invalid"]]);
    expect(mesh.taken).toEqual([]);
    expect(mesh.outcomes).toEqual(["key_missing", "key_invalid"]);
  });
});

describe("a key that was already used for another request", () => {
  it.each([
    ["body", {}, "other"],
    ["path", { path: "/pay?twice" }, "body"],
    ["method", { method: "PATCH" }, "body"],
    ["host", { authority: "elsewhere" }, "body"],
    ["authorization", { fields: { authorization: "Bearer b" } }, "body"],
    ["content type", { fields: { "content-type": "text/plain" } }, "body"],
  ])("is refused: another %s", (_what, ask, body) => {
    mesh.ask();
    answer(taken(0));
    expect(mesh.ask(ask, body).caller.calls).toEqual([["abort", "idempotency_key_reused"]]);
    expect(mesh.taken.length).toBe(1);
  });

  it("is refused while the other is in flight, as soon as both are fully known", () => {
    const first = mesh.begin();
    const other = mesh.ask({}, "other");
    expect(other.caller.calls).toEqual([]);
    first.sink.writeRequest(Buffer.from("body"));
    first.sink.endRequest();
    expect(other.caller.calls).toEqual([["abort", "idempotency_key_reused"]]);
    expect(mesh.ask({}, "another").caller.calls).toEqual([["abort", "idempotency_key_reused"]]);
  });
});

describe("a repeat of a request in flight", () => {
  it("joins it and gets its answer", () => {
    const repeats = [mesh.ask(), mesh.ask(), mesh.ask()];
    const slow = mesh.begin();
    answer(taken(0), 503, "busy");
    for (const { caller } of repeats)
      expect(caller.calls).toEqual([
        ["head", 503],
        ["write", "busy"],
        ["end", []],
      ]);
    slow.sink.writeRequest(Buffer.from("body"));
    slow.sink.endRequest();
    expect(slow.caller.calls).toEqual([
      ["head", 503],
      ["write", "busy"],
      ["end", []],
    ]);
    expect(mesh.taken.length).toBe(1);
    // The failure is not kept.
    mesh.ask();
    expect(mesh.taken.length).toBe(2);
  });

  it("fails with it", () => {
    const [first, second] = [mesh.ask(), mesh.ask()];
    taken(0).response.abortResponse(new MeshError("upstream_closed", "crashed"));
    expect([first.caller.calls, second.caller.calls]).toEqual([
      [["abort", "upstream_closed"]],
      [["abort", "upstream_closed"]],
    ]);
    mesh.ask();
    expect(mesh.taken.length).toBe(2);
  });

  it("waits for half a minute, and is then told to ask again", () => {
    mesh.ask();
    const second = mesh.ask();
    mesh.pass(29_900);
    expect(second.caller.calls).toEqual([]);
    mesh.pass(200);
    expect(second.caller.calls).toEqual([["abort", "idempotency_in_flight"]]);
    answer(taken(0));
    expect(mesh.ask().caller.calls).toEqual(paid);
  });

  it("is forgotten if its caller leaves", () => {
    mesh.ask();
    const second = mesh.ask();
    second.sink.abortRequest(gone);
    answer(taken(0));
    expect(second.caller.calls).toEqual([]);
  });

  it("is told to continue if it waits to be asked for its body", () => {
    mesh.ask();
    const second = mesh.begin({ fields: { expect: "100-continue" } });
    expect(second.caller.calls).toEqual([["informational", 100]]);
  });
});

describe("a caller that leaves early", () => {
  it("in the middle of its request leaves nothing behind", () => {
    const first = mesh.begin();
    first.sink.writeRequest(Buffer.from("bo"));
    first.sink.abortRequest(gone);
    expect(taken(0).calls).toEqual([
      ["write", "bo"],
      ["abort", "upstream_reset"],
    ]);
    mesh.ask();
    expect(mesh.taken.length).toBe(2);
  });

  it("after its request finds the answer when it returns", () => {
    const first = mesh.ask();
    first.sink.abortRequest(gone);
    const second = mesh.ask();
    answer(taken(0));
    expect(taken(0).calls).toEqual([["write", "body"], ["end"], ["resume"]]);
    expect(first.caller.calls).toEqual([]);
    expect(second.caller.calls).toEqual(paid);
    expect(mesh.ask().caller.calls).toEqual(paid);
    expect(mesh.taken.length).toBe(1);
  });

  it("with the last byte sent, but not the end, has sent a whole request", () => {
    const first = mesh.begin({ fields: { "content-length": "4" } });
    first.sink.writeRequest(Buffer.from("body"));
    first.sink.abortRequest(gone);
    expect(taken(0).calls).toEqual([["write", "body"], ["end"], ["resume"]]);
    answer(taken(0));
    expect(mesh.ask({ fields: { "content-length": "4" } }).caller.calls).toEqual(paid);
  });

  it("in the middle of the answer gets all of it the next time", () => {
    const first = mesh.ask();
    taken(0).response.head({ status: 201, headers: new HeaderFields(), bodyless: false });
    taken(0).response.writeResponse(Buffer.from("pa"));
    first.sink.abortRequest(gone);
    taken(0).response.writeResponse(Buffer.from("id"));
    taken(0).response.endResponse();
    expect(mesh.ask().caller.calls).toEqual(paid);
  });

  it("is not waited for without end", () => {
    mesh.ask().sink.abortRequest(gone);
    mesh.pass(300_020);
    expect(taken(0).calls.at(-1)).toEqual(["abort", "request_timeout"]);
    // It may have been done, so it is not done again.
    expect(mesh.ask().caller.calls).toEqual([["abort", "idempotency_answer_lost"]]);
  });

  it("can be one of many: requests left behind beyond a limit are cut short, and not repeated", () => {
    for (let i = 0; i < 257; i++) mesh.ask({ key: `${i}` }).sink.abortRequest(gone);
    expect(taken(255).calls.at(-1)).toEqual(["resume"]);
    expect(taken(256).calls.at(-1)).toEqual(["abort", "upstream_reset"]);
    expect(mesh.ask({ key: "256" }).caller.calls).toEqual([["abort", "idempotency_answer_lost"]]);
    answer(taken(0));
    mesh.ask({ key: "257" }).sink.abortRequest(gone);
    expect(taken(257).calls.at(-1)).toEqual(["resume"]);
  });
});

describe("an answer", () => {
  it("that is too long is passed on, and the request is not processed twice", () => {
    const short = { ...rules, maxAnswerBytes: 3 };
    const [first, second] = [mesh.ask({ rules: short }), mesh.ask({ rules: short })];
    answer(taken(0));
    expect(first.caller.calls).toEqual(paid);
    expect(second.caller.calls).toEqual([["abort", "idempotency_answer_lost"]]);
    expect(mesh.ask().caller.calls).toEqual([["abort", "idempotency_answer_lost"]]);
    expect(mesh.ask({}, "other").caller.calls).toEqual([["abort", "idempotency_key_reused"]]);
    expect(mesh.taken.length).toBe(1);
  });

  it("that comes before the request is complete is kept once it is", () => {
    const first = mesh.begin();
    answer(taken(0));
    expect(mesh.outcomes).toEqual(["processed"]);
    first.sink.writeRequest(Buffer.from("body"));
    first.sink.endRequest();
    expect(mesh.ask().caller.calls).toEqual(paid);
  });

  it("that comes before the request is complete is not kept if it never is", () => {
    const first = mesh.begin();
    answer(taken(0));
    first.sink.abortRequest(gone);
    mesh.ask();
    expect(mesh.taken.length).toBe(2);
    expect(mesh.keyed.held).toMatchObject({ inFlight: 1, answered: 0 });
  });

  it("to gRPC is judged by its trailers", () => {
    const grpc = { fields: { "content-type": "application/grpc" } };
    mesh.ask(grpc);
    answer(taken(0), 200, "reply", ["grpc-status", "14"]);
    mesh.ask(grpc);
    answer(taken(1), 200, "reply", ["grpc-status", "0"]);
    expect(mesh.ask(grpc).caller.calls).toEqual([
      ["head", 200],
      ["write", "reply"],
      ["end", ["grpc-status", "0"]],
    ]);
    expect(mesh.taken.length).toBe(2);
  });

  it("is replayed as fast as the caller reads it", () => {
    const body = "x".repeat(200_000);
    mesh.ask();
    answer(taken(0), 200, body);
    const again = mesh.begin();
    again.caller.takesMore = false;
    again.sink.writeRequest(Buffer.from("body"));
    again.sink.endRequest();
    expect(again.caller.calls.length).toBe(2); // the head, and the first piece
    again.sink.resumeResponse();
    expect(again.caller.calls.length).toBe(3);
    again.caller.takesMore = true;
    again.sink.resumeResponse();
    expect(
      again.caller.calls
        .slice(1, -1)
        .map(([, text]) => text)
        .join(""),
    ).toBe(body);
    expect(again.caller.calls.at(-1)).toEqual(["end", []]);
  });
});
