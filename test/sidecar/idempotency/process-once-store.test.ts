import { beforeEach, describe, expect, it } from "vitest";
import type { Claim, Found, RecordStore } from "../../../sidecar/idempotency/record-store.ts";
import { answer, gone, KeyedMesh, paid, rules } from "./keyed-mesh.ts";

/** A store that says what a test tells it, when the test says so. */
class HandStore implements RecordStore {
  readonly asked: ((found: Found) => void)[] = [];
  readonly claims: unknown[][] = [];
  claim(_name: string, told: (found: Found) => void): undefined {
    this.asked.push(told);
  }
  grant(): Found {
    const claim: Claim = {
      keep: (record) => this.claims.push(["keep", record.answer?.status]),
      release: (failure) => this.claims.push(["release", failure?.answer?.status]),
    };
    return { kind: "claimed", claim };
  }
}

describe("a slow store", () => {
  const shared = { ...rules, store: "redis" } as const;
  let mesh: KeyedMesh;
  let store: HandStore;

  beforeEach(() => {
    store = new HandStore();
    mesh = new KeyedMesh(store);
  });

  it("is waited for, and asked once for all requests that come meanwhile", () => {
    const [first, second] = [mesh.ask({ rules: shared }), mesh.ask({ rules: shared })];
    expect([mesh.taken.length, store.asked.length]).toEqual([0, 1]);
    store.asked[0]?.(store.grant());
    expect(mesh.takenAt(0).calls).toEqual([["write", "body"], ["end"]]);
    answer(mesh.takenAt(0));
    expect([first.caller.calls, second.caller.calls]).toEqual([paid, paid]);
    expect(store.claims).toEqual([["keep", 201]]);
  });

  it("gets its claim back if the caller and everyone who joined it have left", () => {
    const [first, second] = [mesh.ask({ rules: shared }), mesh.ask({ rules: shared })];
    first.sink.abortRequest(gone);
    store.asked[0]?.(store.grant());
    expect(store.claims).toEqual([["release", undefined]]);
    expect(second.caller.calls).toEqual([["abort", "refused_stream"]]);
    expect(mesh.taken).toEqual([]);
  });

  it("is told of failures, for those who wait elsewhere", () => {
    mesh.ask({ rules: shared });
    store.asked[0]?.(store.grant());
    answer(mesh.takenAt(0), 500);
    expect(store.claims).toEqual([["release", 500]]);
  });

  it("is polled again and again while another sidecar has the request", () => {
    const polls: Parameters<Extract<Found, { kind: "elsewhere" }>["poll"]>[0][] = [];
    const poll = (done: (typeof polls)[number]) => {
      polls.push(done);
    };
    const [first, second] = [mesh.ask({ rules: shared }), mesh.ask({ rules: shared })];
    store.asked[0]?.({ kind: "elsewhere", poll });
    mesh.pass(30);
    polls.pop()?.({ kind: "in-flight" });
    mesh.pass(50);
    polls.pop()?.({ kind: "unavailable" });
    second.sink.abortRequest(gone);
    mesh.pass(100);
    polls.pop()?.({ kind: "nothing" });
    expect(first.caller.calls).toEqual([["abort", "upstream_reset"]]);
    mesh.pass(10_000);
    expect(polls).toEqual([]);
    expect(mesh.keyed.held.inFlight).toBe(0);
  });

  it("is not polled when nobody waits any more", () => {
    let polled = 0;
    const first = mesh.ask({ rules: shared });
    store.asked[0]?.({ kind: "elsewhere", poll: () => polled++ });
    first.sink.abortRequest(gone);
    mesh.pass(10_000);
    expect([polled, mesh.keyed.held.inFlight]).toEqual([0, 0]);
  });

  it("that can't be reached refuses keyed requests or admits them, as the policy says", () => {
    const first = mesh.ask({ rules: shared });
    store.asked[0]?.({ kind: "unavailable" });
    expect(first.caller.calls).toEqual([["abort", "idempotency_store_failed"]]);
    const allowed = mesh.ask({ rules: { ...shared, onStoreFailure: "allow" } });
    store.asked[1]?.({ kind: "unavailable" });
    answer(mesh.takenAt(0));
    expect(allowed.caller.calls).toEqual(paid);
    expect(mesh.outcomes).toEqual(["store_failed", "unguarded", "kept"]);
  });
});
