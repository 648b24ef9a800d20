import { describe, expect, it } from "vitest";
import { chooseEndpoints, type Locality } from "../../model/endpoint-choice.ts";
import type { Endpoint } from "../../model/resources.ts";

type Placed = Pick<Endpoint, "address" | "state" | "node" | "forNodes" | "forZones">;

const at = (address: string, more: Partial<Endpoint> = {}): Placed => ({ address, state: "ready", ...more });

function choose(all: readonly Placed[], locality: Locality = {}, nodeLocal = false) {
  const { preferred, others } = chooseEndpoints(all, nodeLocal, locality, (entry) => entry);
  return [preferred.map(({ address }) => address), others.map(({ address }) => address)];
}

describe("without hints", () => {
  it("all ready endpoints are equal", () => {
    expect(choose([at("a"), at("b")], { node: "n1", zone: "west" })).toEqual([["a", "b"], []]);
    expect(choose([])).toEqual([[], []]);
  });

  it("terminating endpoints are used only if none is ready", () => {
    const ending = at("b", { state: "terminating" });
    expect(choose([at("a"), ending])).toEqual([["a"], []]);
    expect(choose([ending])).toEqual([["b"], []]);
  });
});

describe("hints for zones", () => {
  const all = [
    at("a", { forZones: ["west"] }),
    at("b", { forZones: ["east", "west"] }),
    at("c", { forZones: ["east"] }),
  ];

  it("prefer the endpoints for the caller's zone, and keep the others as a fallback", () => {
    expect(choose(all, { zone: "west" })).toEqual([["a", "b"], ["c"]]);
    expect(choose(all, { zone: "east" })).toEqual([["b", "c"], ["a"]]);
  });

  it("mean nothing if no endpoint is for the caller's zone, or its zone is unknown", () => {
    expect(choose(all, { zone: "north" })).toEqual([["a", "b", "c"], []]);
    expect(choose(all)).toEqual([["a", "b", "c"], []]);
  });

  it("mean nothing if a ready endpoint has none: they are still being assigned", () => {
    expect(choose([...all, at("d")], { zone: "west" })).toEqual([["a", "b", "c", "d"], []]);
    expect(choose([...all, at("d", { state: "terminating" })], { zone: "west" })).toEqual([["a", "b"], ["c"]]);
  });

  it("never lead to a terminating endpoint while one in another zone is ready", () => {
    const [a, , c] = all as [Placed, Placed, Placed];
    expect(choose([{ ...a, state: "terminating" }, c], { zone: "west" })).toEqual([["c"], []]);
  });
});

describe("hints for nodes", () => {
  const all = [
    at("a", { forNodes: ["n1"], forZones: ["west"] }),
    at("b", { forNodes: ["n2"], forZones: ["west"] }),
    at("c", { forNodes: ["n3"], forZones: ["east"] }),
  ];

  it("take precedence over those for zones, which apply if the caller's node has no endpoint", () => {
    expect(choose(all, { node: "n1", zone: "west" })).toEqual([["a"], ["b", "c"]]);
    expect(choose(all, { node: "n4", zone: "west" })).toEqual([["a", "b"], ["c"]]);
  });
});

describe("a Service whose callers stay on their node", () => {
  const all = [at("a", { node: "n1" }), at("b", { node: "n2" }), at("c", { node: "n2", state: "terminating" })];

  it("has only the endpoints of that node, with or without hints", () => {
    expect(choose(all, { node: "n1" }, true)).toEqual([["a"], []]);
    expect(choose(all, { node: "n2" }, true)).toEqual([["b"], []]);
    expect(choose([at("a", { node: "n1", forNodes: ["n2"] })], { node: "n1" }, true)).toEqual([["a"], []]);
  });

  it("has none if that node has none, or is unknown", () => {
    expect(choose(all, { node: "n3" }, true)).toEqual([[], []]);
    expect(choose(all, {}, true)).toEqual([[], []]);
  });

  it("has a terminating one rather than none", () => {
    expect(choose(all.slice(2), { node: "n2" }, true)).toEqual([["c"], []]);
  });
});
