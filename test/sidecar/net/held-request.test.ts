import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Service } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { HeldRequest } from "../../../sidecar/net/held-request.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";

const gone = new MeshError("upstream_closed", "the caller is gone");

function heldRequest() {
  const caller = new RecordingCaller();
  const upstream = new RecordingUpstream();
  return { caller, upstream, held: new HeldRequest(exchangeOf({ method: "POST", bodyless: false }), caller) };
}

describe("a request that is held", () => {
  it("is forwarded with all of its body, in order, and its end", () => {
    const { held, upstream, caller } = heldRequest();
    const chunk = Buffer.from("one ");
    expect(held.writeRequest(chunk)).toBe(false);
    chunk.fill("x"); // a chunk is the receiver's only during the call
    held.writeRequest(Buffer.from("two"));
    held.endRequest(new HeaderFields(["checksum", "7"]));
    held.release(upstream.service);
    expect(upstream.calls).toEqual([
      ["write", "one "],
      ["write", "two"],
      ["end", ["checksum", "7"]],
    ]);
    expect(caller.calls).toEqual([]);
  });

  it("asks for more once it is released, if it had asked to stop and the service accepts more", () => {
    const { held, upstream, caller } = heldRequest();
    held.writeRequest(Buffer.from("one"));
    held.release(upstream.service);
    expect(caller.calls).toEqual([["resume"]]);
    expect(held.writeRequest(Buffer.from("two"))).toBe(true);
    held.endRequest();
    expect(upstream.calls).toEqual([
      ["write", "one"],
      ["write", "two"],
      ["end", []],
    ]);
  });

  it("leaves resuming to the service if that accepts no more", () => {
    const { held, upstream, caller } = heldRequest();
    upstream.takesMore = false;
    held.writeRequest(Buffer.from("one"));
    held.release(upstream.service);
    expect(caller.calls).toEqual([]);
    upstream.response.resumeRequest();
    expect(caller.calls).toEqual([["resume"]]);
  });

  it("is neither forwarded nor refused once its caller has given up", () => {
    const { held, upstream, caller } = heldRequest();
    held.writeRequest(Buffer.from("one"));
    expect(held.gone).toBe(false);
    held.abortRequest(gone);
    expect(held.gone).toBe(true);
    expect(held.writeRequest(Buffer.from("two"))).toBe(true);
    held.release(() => {
      throw new Error("passed on");
    });
    held.refuse(gone);
    expect([upstream.calls, caller.calls]).toEqual([[], []]);
  });

  it("is refused once, and not forwarded afterwards", () => {
    const { held, caller } = heldRequest();
    held.refuse(new MeshError("no_policy_yet", ""));
    held.refuse(new MeshError("no_policy_yet", ""));
    held.release(() => {
      throw new Error("passed on");
    });
    expect(held.gone).toBe(true);
    expect(caller.calls).toEqual([["abort", "no_policy_yet"]]);
  });

  it("is forwarded once", () => {
    const { held, upstream } = heldRequest();
    held.release(upstream.service);
    held.release(() => {
      throw new Error("passed on twice");
    });
    held.refuse(gone);
    held.endRequest();
    held.resumeResponse();
    expect(upstream.calls).toEqual([["end", []], ["resume"]]);
  });
});

describe("while it is being released", () => {
  it("keeps the order of chunks that a resume causes", () => {
    const upstream = new RecordingUpstream();
    const caller = new RecordingCaller();
    const held = new HeldRequest(exchangeOf(), caller);
    caller.resumeRequest = () => {
      caller.resumeRequest = () => {};
      held.writeRequest(Buffer.from("three"));
    };
    held.writeRequest(Buffer.from("one"));
    held.writeRequest(Buffer.from("two"));
    const eager: Service = (exchange, response) => {
      const sink = upstream.service(exchange, response);
      response.resumeRequest();
      return sink;
    };
    held.release(eager);
    expect(upstream.calls.map(([, chunk]) => chunk)).toEqual(["one", "two", "three"]);
  });

  it("passes on an abort that comes before the service has returned", () => {
    const { held, caller, upstream } = heldRequest();
    caller.head = () => held.abortRequest(gone);
    held.writeRequest(Buffer.from("one"));
    held.release((exchange, response) => {
      const sink = upstream.service(exchange, response);
      response.head(responseHead(200));
      return sink;
    });
    expect(upstream.calls).toEqual([["abort", "upstream_closed"]]);
  });
});
