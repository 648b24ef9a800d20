import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Exchange, ResponseSink } from "../../../sidecar/net/exchange.ts";
import { gone, policy, post, retrying, type Setup } from "./retrying.ts";

describe("a retry", () => {
  it("waits as the schedule says, and the last response stands", () => {
    const { tries, pass, fail, caller, counted } = retrying({ policy: { ...policy, maxAttempts: 4 } });
    for (const [number, delayMs] of [100, 200, 400].entries()) {
      fail("connect_failed");
      pass(delayMs - 1);
      expect(tries).toHaveLength(number + 1);
      pass(20);
      expect(tries).toHaveLength(number + 2);
    }
    expect(caller.calls).toEqual([]);
    fail("connect_failed");
    expect(caller.calls).toEqual([["abort", "connect_failed"]]);
    expect(counted).toEqual([...Array<string>(3).fill("retried connect-failure"), "attempts_exhausted"]);
  });

  it("tells the next hop its number, and the caller the number of retries", () => {
    const { exchange, pass, answer, caller } = retrying();
    const heads: (string | undefined)[] = [];
    caller.head = ({ headers }) => heads.push(headers.get("tulle-retried"));
    expect(exchange.headers.has("tulle-attempt")).toBe(false);
    answer(503);
    expect([exchange.retryReason, exchange.tried]).toEqual(["503", ["10.0.0.1:80"]]);
    pass(120);
    expect([exchange.attempt, exchange.headers.get("tulle-attempt")]).toEqual([2, "2"]);
    answer(200);
    expect(heads).toEqual(["1"]);
  });

  it("waits as long as Retry-After says", () => {
    const { tries, pass, answer } = retrying();
    answer(503, { "retry-after": "2" });
    pass(1_990);
    expect(tries).toHaveLength(1);
    pass(20);
    expect(tries).toHaveLength(2);
  });

  it("starts without the endpoint of the try before, so that no failure is attributed to that", () => {
    const seen: (string | undefined)[] = [];
    const { answer, pass } = retrying({
      prepare: (exchange) => {
        let endpoint: string | undefined = "stale";
        Object.defineProperty(exchange, "endpoint", {
          get: () => endpoint,
          set: (value: string | undefined) => {
            endpoint = value;
            seen.push(value);
          },
        });
      },
    });
    answer(503);
    pass(120);
    expect(seen).toEqual([undefined, "10.0.0.1:80", undefined, "10.0.0.2:80"]);
  });

  it("does not happen once the head was sent, and the caller's exchange is cut", () => {
    const { answer, fail, caller, tries, pass } = retrying();
    answer(200);
    fail("upstream_reset");
    pass(10_000);
    expect(tries).toHaveLength(1);
    expect(caller.calls).toEqual([
      ["head", 200],
      ["abort", "upstream_reset"],
    ]);
  });

  it("never holds a head back", () => {
    const { answer, caller } = retrying();
    answer(200);
    expect(caller.calls).toEqual([["head", 200]]);
  });

  it("is cancelled when the caller leaves", () => {
    const { fail, sink, pass, tries, caller } = retrying();
    fail("connect_failed");
    sink.abortRequest(gone);
    expect(sink.writeRequest(Buffer.from("late"))).toBe(true);
    pass(1_000);
    expect(tries).toHaveLength(1);
    expect(caller.calls).toEqual([]);
  });

  it("is aborted if its caller leaves while it is being sent", () => {
    const { fail, sink, pass, tries } = retrying({ atOnce: [() => {}, () => sink.abortRequest(gone)] });
    fail("connect_failed");
    pass(120);
    expect(tries[1]?.calls).toEqual([["abort", "upstream_reset"]]);
  });
});

describe("an exhausted budget", () => {
  const budget = { percent: 0, windowMs: 10_000, minRetriesPerSecond: 0 };

  it.each(["connect_timeout", "mesh_port_unreachable", "tls_failed"] as const)(
    "does not prevent another try if no link could be made: %s",
    (code) => {
      const { fail, pass, tries, counted } = retrying({ budget, policy: undefined });
      fail(code);
      pass(0);
      expect([tries.length, counted]).toEqual([2, ["retried unprocessed"]]);
    },
  );

  it("prevents another try if the peer has refused the request", () => {
    const { fail, pass, tries, counted } = retrying({ budget, policy: undefined });
    fail("refused_stream");
    pass(0);
    expect([tries.length, counted]).toEqual([1, ["retry_budget_exhausted"]]);
  });
});

describe("refusals", () => {
  it.each<[string, Setup, (layer: ReturnType<typeof retrying>) => void]>([
    ["not_retryable", {}, ({ answer }) => answer(404)],
    ["not_retryable", {}, ({ fail }) => fail("circuit_open")],
    ["attempts_exhausted", { policy: { ...policy, maxAttempts: 1 } }, ({ answer }) => answer(503)],
    ["not_idempotent", { head: post }, ({ answer }) => answer(503)],
    ["retried_below", {}, ({ answer }) => answer(503, { "tulle-retried": "2" })],
    ["retry_after_too_long", {}, ({ answer }) => answer(503, { "retry-after": "6" })],
    [
      "retry_budget_exhausted",
      { budget: { percent: 0, windowMs: 10_000, minRetriesPerSecond: 0 } },
      ({ answer }) => answer(503),
    ],
  ])("%s is counted, and the answer stands", (because, setup, finish) => {
    const layer = retrying(setup);
    finish(layer);
    layer.pass(10_000);
    expect(layer.counted).toEqual([because]);
    expect(layer.tries).toHaveLength(1);
    expect(layer.caller.calls).toHaveLength(1);
  });

  it("are not counted if nothing failed", () => {
    const { answer, counted } = retrying();
    answer(200, { "grpc-status": "0" });
    expect(counted).toEqual([]);
  });
});

describe("without a policy", () => {
  const bare = { policy: undefined };

  it("what an endpoint certainly did not process is tried once more, at once, even a POST", () => {
    const { fail, tries, sink, caller } = retrying({ ...bare, head: post });
    sink.writeRequest(Buffer.from("a"));
    sink.endRequest();
    fail("refused_stream");
    expect(tries.map(({ calls }) => calls)).toEqual([
      [
        ["write", "a"],
        ["end", []],
      ],
      [
        ["write", "a"],
        ["end", []],
      ],
    ]);
    fail("refused_stream");
    expect(caller.calls).toEqual([["abort", "refused_stream"]]);
  });

  it("what fails before the service returns is tried once more all the same", () => {
    const refuse = (response: ResponseSink) =>
      response.abortResponse(new MeshError("connect_failed", "", { processed: "unprocessed" }));
    const { tries, caller, sink } = retrying({ ...bare, atOnce: [refuse, refuse] });
    sink.endRequest();
    expect(tries.map(({ calls }) => calls)).toEqual([[], []]);
    expect(caller.calls).toEqual([["abort", "connect_failed"]]);
  });

  it.each(["circuit_open", "no_endpoints", "no_policy_yet", "overloaded"] as const)(
    "a decision of the mesh itself is final: %s",
    (code) => {
      const { fail, tries, caller } = retrying(bare);
      fail(code);
      expect(tries).toHaveLength(1);
      expect(caller.calls).toEqual([["abort", code]]);
    },
  );

  it("a 503 is final", () => {
    const { answer, tries, caller } = retrying(bare);
    answer(503);
    expect([tries.length, caller.calls]).toEqual([1, [["head", 503]]]);
  });
});

describe("the remaining time", () => {
  it("must be enough for the wait, or none begins", () => {
    const near = retrying({ prepare: (exchange) => (exchange.deadlineAtMs = 100) });
    near.answer(503);
    expect([near.caller.calls[0], near.counted]).toEqual([["head", 503], ["deadline_too_near"]]);
    const far = retrying({ prepare: (exchange) => (exchange.deadlineAtMs = 1_000) });
    far.answer(503);
    far.pass(120);
    expect([far.tries.length, far.counted]).toEqual([2, ["retried 503"]]);
  });
});

describe("a retry that does not happen", () => {
  it("is counted if its caller leaves during the wait", () => {
    const { answer, sink, pass, tries, counted } = retrying();
    answer(503);
    expect(counted).toEqual([]);
    sink.abortRequest(gone);
    pass(1_000);
    expect([tries.length, counted]).toEqual([1, ["abandoned"]]);
  });

  it("is counted if the response had begun", () => {
    const { answer, fail, counted, caller } = retrying();
    answer(200);
    fail("upstream_reset", "maybe");
    expect([counted, caller.calls.at(-1)]).toEqual([["answer_begun"], ["abort", "upstream_reset"]]);
  });
});

describe("over several hops", () => {
  it("a retry by a hop above is not a first try, and keeps its number", () => {
    const budget = { percent: 100, windowMs: 10_000, minRetriesPerSecond: 0 };
    const first = retrying({ budget });
    first.answer(503);
    first.pass(120);
    expect(first.counted).toEqual(["retried 503"]);
    const again = retrying({ budget, prepare: (exchange) => (exchange.callerAttempt = 3) });
    expect(again.exchange.headers.get("tulle-attempt")).toBe("3");
    again.answer(503);
    expect(again.counted).toEqual(["retry_budget_exhausted"]);
  });

  it("the request being served learns that a request for it was retried in vain, or may not be retried", () => {
    const told: number[] = [];
    const prepare = (exchange: Exchange) => (exchange.origin = { retriedBelow: (retries) => told.push(retries) });
    const failing = retrying({ prepare });
    for (let i = 0; i < 3; i++) {
      failing.answer(503);
      failing.pass(1_000);
    }
    expect(told).toEqual([2]);
    retrying({ prepare, budget: { percent: 0, windowMs: 10_000, minRetriesPerSecond: 0 } }).answer(503);
    expect(told).toEqual([2, 0]);
    retrying({ prepare }).answer(404);
    retrying({ prepare }).answer(200);
    retrying({ prepare, policy: undefined }).answer(503, { "tulle-retried": "2" });
    expect(told).toEqual([2, 0, 0]);
  });
});
