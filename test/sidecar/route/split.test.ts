import { describe, expect, it } from "vitest";
import type { Route, WeightedBackend } from "../../../model/resources.ts";
import { split } from "../../../sidecar/route/split.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream } from "../../support/exchange.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function weighted(name: string, weight: number): WeightedBackend {
  return { endpoints: `${name}.shop.svc.cluster.local:80`, service: { namespace: "shop", name }, weight };
}

function splitting(backends: readonly WeightedBackend[], random = seededRandom(7)) {
  const route: Route = { name: "TrafficSplit shop/catalog", matches: [], backends, timeout: {} };
  const counts = new Map<string, number>();
  const reached: string[] = [];
  const service = split(route, {
    backend: (endpoints) => (exchange, response) => {
      reached.push(endpoints);
      return new RecordingUpstream().service(exchange, response);
    },
    remembers: () => false,
    random,
    count: (_route, backend) => counts.set(backend, (counts.get(backend) ?? 0) + 1),
  });
  const ask = () => {
    const caller = new RecordingCaller();
    const exchange = exchangeOf();
    service(exchange, caller).endRequest();
    return { caller, exchange };
  };
  return { ask, counts, reached };
}

describe("a split", () => {
  it("spreads requests by weights, which need not sum to anything", () => {
    const { ask, counts } = splitting([weighted("v1", 9), weighted("v2", 3), weighted("v3", 0)]);
    for (let i = 0; i < 12_000; i++) ask();
    expect([...counts.keys()].sort()).toEqual(["shop/v1", "shop/v2"]);
    expect(Math.abs((counts.get("shop/v1") ?? 0) - 9_000)).toBeLessThan(200);
  });

  it("never picks a backend without weight, at either end of the random range", () => {
    for (const chance of [0, 1 - Number.EPSILON]) {
      const { ask, reached } = splitting([weighted("a", 0), weighted("b", 1), weighted("c", 0)], () => chance);
      expect(ask().exchange.backend).toBe("shop/b");
      expect(reached).toEqual(["b.shop.svc.cluster.local:80"]);
    }
  });

  it("chooses again for each try", () => {
    const rolls = [0.1, 0.9];
    const { ask } = splitting([weighted("v1", 1), weighted("v2", 1)], () => rolls.shift() ?? 0);
    expect([ask().exchange.backend, ask().exchange.backend]).toEqual(["shop/v1", "shop/v2"]);
  });

  it.each([
    ["no backend", []],
    ["no backend with a weight", [weighted("v1", 0)]],
  ])("answers that there are no endpoints if it has %s", (_what, backends) => {
    const { ask, counts } = splitting(backends);
    expect(ask().caller.calls).toEqual([["abort", "no_endpoints"]]);
    expect(counts.size).toBe(0);
  });
});
