/** Requests with an `Idempotency-Key` at the caller's side: which endpoint has them, and where they are tried again. */

import { describe, expect, it } from "vitest";
import { defaultRetryBudget, defaultRetryPolicy } from "../../../model/defaults.ts";
import { MeshError } from "../../../model/errors.ts";
import type { CircuitBreakerPolicy } from "../../../model/policy.ts";
import type { Endpoint, KnownKeys, Route } from "../../../model/resources.ts";
import { RetryBudget } from "../../../model/retry-budget.ts";
import { Backend } from "../../../sidecar/balance/backend.ts";
import { FormerOwners } from "../../../sidecar/balance/key-owners.ts";
import type { Exchange, ResponseSink, Service } from "../../../sidecar/net/exchange.ts";
import { stack } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { retry } from "../../../sidecar/policy/retry.ts";
import { split } from "../../../sidecar/route/split.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { endpointAt, liveEndpoint, trippy } from "./endpoints.ts";

const inMemory: KnownKeys = { methods: ["POST"], store: "memory" };
const pods = ["a", "b", "c", "d"].map((pod, i) => endpointAt(`10.0.0.${i + 1}:80`, { pod }));
const service = { namespace: "shop", name: "payments" };
const names = { v1: "payments-v1.shop.svc.cluster.local:80", v2: "payments-v2.shop.svc.cluster.local:80" };

interface Setup {
  readonly keys?: KnownKeys;
  readonly caller?: string;
  readonly random?: number;
  readonly breaker?: CircuitBreakerPolicy;
}

/** Two backends of four pods each, behind a split and a retry. */
function calling(setup: Setup = {}) {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const random = seededRandom(setup.random ?? 7);
  const asked: { address: string; response: ResponseSink }[] = [];
  const options = {
    caller: setup.caller ?? "spiffe://cluster.local/ns/shop/sa/web",
    locality: {},
    clock,
    wheel,
    random,
    dial:
      ({ address }: Endpoint): Service =>
      (exchange, response) => {
        asked.push({ address, response });
        return new RecordingUpstream().service(exchange, response);
      },
    onBreakerTransition() {},
    onOverload() {},
  };
  const backends = new Map(Object.values(names).map((name) => [name, new Backend(name, options)]));
  const apply = (name: string, endpoints: readonly Endpoint[]) => {
    const breaker = setup.breaker && { breaker: setup.breaker };
    const keys = { idempotency: setup.keys ?? inMemory };
    backends.get(name)?.apply({ name, service, protocol: "http1", endpoints, ...breaker, ...keys });
  };
  apply(names.v1, pods);
  apply(
    names.v2,
    pods.map(({ address, ...pod }) => ({ ...pod, address: address.replace("10.0", "10.9") })),
  );
  const retrying = retry({
    policy: { ...defaultRetryPolicy, initialDelayMs: 10, jitter: 0, retryOn: ["reset", "connect-failure", "503"] },
    budget: new RetryBudget(defaultRetryBudget, clock),
    wheel,
    clock,
    random,
    unixNow: () => 0,
    counts: { retried() {}, notRetried() {} },
    tries: { answered() {}, failed() {}, abandoned() {} },
  });
  const backendOf = (name: string) => (backends.get(name) as Backend).service;
  const remembers = (name: string, key: string) => (backends.get(name) as Backend).remembers(key);
  const weighing = (v1: number, v2: number): Service => {
    const weighted = [
      { endpoints: names.v1, service, weight: v1 },
      { endpoints: names.v2, service, weight: v2 },
    ];
    const route: Route = { name: "TrafficSplit shop/payments", matches: [], backends: weighted, timeout: {} };
    return stack([retrying], split(route, { backend: backendOf, remembers, random, count() {} }));
  };
  let called = weighing(1, 1);
  const weigh = (v1: number, v2: number) => {
    called = weighing(v1, v2);
  };
  const ask = (key: string, method = "POST") => {
    const caller = new RecordingCaller();
    const exchange: Exchange = exchangeOf({ method, headers: new HeaderFields(["idempotency-key", key]) });
    called(exchange, caller).endRequest();
    return caller;
  };
  const last = () => asked[asked.length - 1] as (typeof asked)[number];
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  const fail = (code: "upstream_reset" | "connect_failed") => {
    const processed = code === "connect_failed" ? "unprocessed" : "maybe";
    last().response.abortResponse(new MeshError(code, "", { processed }));
    pass(50);
  };
  return { ask, asked, last, fail, pass, apply, weigh };
}

const manyKeys = Array.from({ length: 60 }, (_, i) => `k${i}`);

/** Where each of these keys goes now. */
function addressesOf(mesh: ReturnType<typeof calling>, keys: readonly string[]): string[] {
  for (const key of keys) mesh.ask(key);
  return mesh.asked.slice(-keys.length).map(({ address }) => address);
}

describe("a key that its pod keeps in memory", () => {
  it("always goes to the same pod of the same backend, from every sidecar of a workload", () => {
    const [one, other] = [calling({ random: 1 }), calling({ random: 2 })];
    const reached = new Set<string>();
    for (let i = 0; i < 40; i++) {
      for (const mesh of [one, one, other]) mesh.ask(`k${i}`);
      const addresses = one.asked.slice(-2).map(({ address }) => address);
      expect(new Set([...addresses, other.last().address]).size).toBe(1);
      reached.add(one.last().address);
    }
    expect(reached.size).toBe(8);
  });

  it("is the same with and without quotes, and means nothing on methods that the policy leaves out", () => {
    const mesh = calling();
    mesh.ask("k");
    mesh.ask('"k"');
    expect(mesh.asked[0]?.address).toBe(mesh.asked[1]?.address);
    for (let i = 0; i < 40; i++) mesh.ask("k", "PATCH");
    expect(new Set(mesh.asked.slice(2).map(({ address }) => address)).size).toBeGreaterThan(1);
  });

  it("is retried at the same pod after a failure in the middle", () => {
    const mesh = calling();
    const caller = mesh.ask("k");
    mesh.fail("upstream_reset");
    expect(mesh.asked.map(({ address }) => address)).toEqual([mesh.last().address, mesh.last().address]);
    mesh.last().response.head({ status: 201, headers: new HeaderFields(), bodyless: true });
    expect(caller.calls).toEqual([["head", 201]]);
  });

  it("is retried nowhere else if that pod is gone", () => {
    const mesh = calling();
    const caller = mesh.ask("k");
    const owner = mesh.last();
    const isV1 = owner.address.startsWith("10.0");
    mesh.apply(isV1 ? names.v1 : names.v2, []);
    mesh.fail("upstream_reset");
    expect(mesh.asked.length).toBe(1);
    expect(caller.calls).toEqual([["abort", "ambiguous"]]);
  });

  it("is ambiguous if the retries after such a failure reach nobody", () => {
    const mesh = calling();
    const caller = mesh.ask("k");
    mesh.fail("upstream_reset");
    mesh.fail("connect_failed");
    mesh.fail("connect_failed");
    expect(caller.calls).toEqual([["abort", "ambiguous"]]);
  });

  it("is refused as usual if nobody can have processed it", () => {
    const mesh = calling();
    const caller = mesh.ask("k");
    for (let i = 0; i < 3; i++) mesh.fail("connect_failed");
    expect(caller.calls).toEqual([["abort", "connect_failed"]]);
  });

  it("waits for its pod's breaker, and is not sent elsewhere", () => {
    const mesh = calling({ breaker: trippy });
    mesh.ask("k");
    mesh.last().response.head({ status: 500, headers: new HeaderFields(), bodyless: true });
    expect(mesh.ask("k").calls).toEqual([["abort", "circuit_open"]]);
  });
});

describe("a key that was used before", () => {
  const more = [...pods, ...["e", "f", "g", "h"].map((pod, i) => endpointAt(`10.0.1.${i + 1}:80`, { pod }))];

  it("stays at its pod when pods are added, and new keys go to those too", () => {
    const mesh = calling();
    mesh.weigh(1, 0);
    const before = addressesOf(mesh, manyKeys);
    mesh.apply(names.v1, more);
    expect(addressesOf(mesh, manyKeys)).toEqual(before);
    const others = addressesOf(
      mesh,
      manyKeys.map((key) => `new ${key}`),
    );
    expect(others.some((address) => address.startsWith("10.0.1."))).toBe(true);
  });

  it("stays at a terminating pod until that accepts nothing more", () => {
    const mesh = calling();
    mesh.weigh(1, 0);
    mesh.ask("k");
    const { address } = mesh.last();
    mesh.apply(
      names.v1,
      pods.map((pod) => (pod.address === address ? { ...pod, state: "terminating" } : pod)),
    );
    mesh.ask("k");
    expect(mesh.last().address).toBe(address);
    mesh.fail("connect_failed");
    expect(mesh.last().address).not.toBe(address);
  });

  it("stays at a ready pod that can't be reached at the moment", () => {
    const mesh = calling();
    mesh.weigh(1, 0);
    const before = addressesOf(mesh, manyKeys);
    mesh.apply(names.v1, more);
    for (const [index, key] of manyKeys.entries()) {
      mesh.ask(key);
      mesh.fail("connect_failed");
      expect(mesh.last().address).toBe(before[index]);
    }
  });

  it("belongs to another pod when its own is gone", () => {
    const mesh = calling();
    mesh.weigh(1, 0);
    mesh.ask("k");
    const { address } = mesh.last();
    mesh.apply(
      names.v1,
      pods.filter((pod) => pod.address !== address),
    );
    mesh.ask("k");
    expect(mesh.last().address).not.toBe(address);
  });

  it.each(["memory", "redis"] as const)("stays at its backend when weights change (%s)", (store) => {
    const mesh = calling({ keys: { methods: ["POST"], store } });
    mesh.weigh(1, 0);
    mesh.ask("k");
    mesh.weigh(0, 1);
    mesh.ask("k");
    expect(mesh.last().address).toMatch(/^10\.0/);
    mesh.ask("another");
    expect(mesh.last().address).toMatch(/^10\.9/);
  });

  it("is forgotten after 10,000 others", () => {
    const { live } = liveEndpoint(new HandClock(), "10.0.0.1:80");
    const owners = new FormerOwners();
    for (let i = 0; i < 10_000; i++) owners.keep(`k${i}`, live);
    owners.keep("k0", live);
    owners.keep("last", live);
    expect(["k0", "k1", "k2", "last"].map((key) => owners.has(key))).toEqual([true, false, true, true]);
  });
});

describe("a key in a shared store", () => {
  it("is retried anywhere after a failure in the middle", () => {
    const mesh = calling({ keys: { methods: ["POST"], store: "redis" } });
    mesh.ask("k");
    mesh.fail("upstream_reset");
    expect(mesh.asked.length).toBe(2);
    expect(mesh.asked[0]?.address).not.toBe(mesh.asked[1]?.address);
  });
});

it("is retried only if the target recognises it", () => {
  const mesh = calling({ keys: { methods: ["PUT"], store: "redis" } });
  const caller = mesh.ask("k");
  mesh.fail("upstream_reset");
  expect([mesh.asked.length, caller.calls]).toEqual([1, [["abort", "upstream_reset"]]]);
});
