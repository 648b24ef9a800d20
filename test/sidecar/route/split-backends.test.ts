import { expect, it } from "vitest";
import type { Route, WeightedBackend } from "../../../model/resources.ts";
import type { Service } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { nowhere } from "../../../sidecar/net/pass-through.ts";
import { split } from "../../../sidecar/route/split.ts";
import { exchangeOf, RecordingCaller } from "../../support/exchange.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function to(name: string, weight: number, more: Partial<WeightedBackend> = {}): WeightedBackend {
  return { endpoints: name, service: { namespace: "shop", name }, weight, ...more };
}

function choose(more: Partial<Route> & { backends: Route["backends"] }, user?: string) {
  const route: Route = { name: "r", matches: [], timeout: {}, ...more };
  const reached: string[] = [];
  const backend =
    (name: string): Service =>
    () => {
      reached.push(name);
      return nowhere;
    };
  const caller = new RecordingCaller();
  const service = split(route, { backend, remembers: () => false, random: seededRandom(7), count: () => {} });
  const headers = new HeaderFields(user === undefined ? [] : ["x-user", user]);
  for (let i = 0; i < 20; i++) service(exchangeOf({ headers }), caller);
  return { reached: [...new Set(reached)], calls: caller.calls };
}

const sticky = { by: "header", name: "x-user" } as const;

it("keeps a client at one backend, and splits those without a key by weight", () => {
  const backends = [to("a", 1), to("b", 1)];
  const users = Array.from({ length: 50 }, (_, i) => choose({ backends, sticky }, `user-${i}`).reached);
  expect(users.every(({ length }) => length === 1)).toBe(true);
  expect(new Set(users.flat())).toEqual(new Set(["a", "b"]));
  expect(choose({ backends, sticky }).reached).toHaveLength(2);
});

it("moves only clients of the backend that loses weight", () => {
  const users = Array.from({ length: 200 }, (_, i) => `user-${i}`);
  const at = (weight: number) =>
    users.map((user) => choose({ backends: [to("a", weight), to("b", 50)], sticky }, user).reached[0]);
  const [before, after] = [at(50), at(10)];
  const moved = users.filter((_, i) => before[i] !== after[i]);
  expect(moved.length).toBeGreaterThan(0);
  expect(moved.every((user) => before[users.indexOf(user)] === "a")).toBe(true);
});

it("answers in place of an invalid backend, which keeps its share", () => {
  const { reached, calls } = choose({ backends: [to("a", 1), to("b", 1, { invalid: "there is no Service b" })] });
  expect(reached).toEqual(["a"]);
  expect(new Set(calls.map(String))).toEqual(new Set(["abort,invalid_route"]));
});
