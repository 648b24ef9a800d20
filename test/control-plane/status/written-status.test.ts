import { describe, expect, it } from "vitest";
import type { Condition } from "../../../control-plane/status/condition.ts";
import { nextPolicyStatus, nextRouteStatus } from "../../../control-plane/status/written-status.ts";

const noon = "2026-06-01T12:00:00Z";
const later = "2026-06-01T13:00:00Z";

const accepted: Condition = { type: "Accepted", status: "True", reason: "Accepted", message: "" };
const programmed: Condition = { type: "Programmed", status: "True", reason: "Programmed", message: "2/2" };
const pending: Condition = { type: "Programmed", status: "False", reason: "Pending", message: "1/2; waiting for a" };
const written = (condition: Condition, since = noon, observedGeneration = 1) => ({
  ...condition,
  observedGeneration,
  lastTransitionTime: since,
});

describe("a policy's status", () => {
  const status = { observedGeneration: 1, conditions: [accepted, programmed] };

  it("gets every condition, with its generation and the time of its change", () => {
    const next = { conditions: [written(accepted), written(programmed)] };
    for (const current of [undefined, null, {}, { conditions: null }, { conditions: "x" }, 4])
      expect(nextPolicyStatus(current, status, noon)).toEqual(next);
  });

  it("is not written if it already says so", () => {
    const current = { conditions: [written(accepted), written(programmed)] };
    expect(nextPolicyStatus(current, status, later)).toBeUndefined();
  });

  it("keeps the time of a condition whose status stays while its message changes", () => {
    const current = { conditions: [written(accepted), written({ ...programmed, message: "1/1" })] };
    expect(nextPolicyStatus(current, status, later)).toEqual({ conditions: [written(accepted), written(programmed)] });
  });

  it("sets a new time for a condition whose status changes", () => {
    const current = { conditions: [written(accepted), written(pending)] };
    expect(nextPolicyStatus(current, status, later)).toEqual({
      conditions: [written(accepted), written(programmed, later)],
    });
  });

  it("is written if only the generation differs", () => {
    const current = { conditions: [written(accepted), written(programmed)] };
    expect(nextPolicyStatus(current, { ...status, observedGeneration: 2 }, later)).toEqual({
      conditions: [written(accepted, noon, 2), written(programmed, noon, 2)],
    });
  });

  it("keeps a condition of this generation, and of no other, while nothing is known", () => {
    const unknown: Condition = { type: "Programmed", status: "Unknown", reason: "Pending", message: "0/0" };
    const returning = { observedGeneration: 1, conditions: [accepted, unknown] };
    for (const known of [programmed, pending])
      expect(nextPolicyStatus({ conditions: [written(accepted), written(known)] }, returning, later)).toBeUndefined();
    const before = { conditions: [written(accepted), written(programmed)] };
    expect(nextPolicyStatus(before, { ...returning, observedGeneration: 2 }, later)).toEqual({
      conditions: [written(accepted, noon, 2), written(unknown, later, 2)],
    });
    expect(nextPolicyStatus(undefined, returning, noon)).toEqual({ conditions: [written(accepted), written(unknown)] });
  });

  it("drops our conditions that no longer apply, and keeps those of others", () => {
    const foreign = { type: "Audited", status: "True", reason: "X", message: "", lastTransitionTime: noon };
    const current = { conditions: [foreign, written(accepted), written(programmed)] };
    expect(nextPolicyStatus(current, { ...status, conditions: [accepted] }, later)).toEqual({
      conditions: [written(accepted), foreign],
    });
  });

  it("cuts a message that the API server would not accept", () => {
    const long = { ...accepted, message: "x".repeat(40_000) };
    const cut = { ...accepted, message: `${"x".repeat(32_767)}…` };
    expect(nextPolicyStatus(undefined, { ...status, conditions: [long] }, noon)).toEqual({
      conditions: [written(cut)],
    });
  });
});

describe("a route's status", () => {
  const parentRef = { group: "", kind: "Service", name: "a" };
  const other = { group: "", kind: "Service", name: "b" };
  const ours = "tulle.dev/controller";
  const status = { observedGeneration: 1, parents: [{ parentRef, controllerName: ours, conditions: [accepted] }] };
  const entry = { parentRef, controllerName: ours, conditions: [written(accepted)] };
  const foreign = { parentRef, controllerName: "example.com/gateway", conditions: [] };

  it("gets an entry for each parent, beside those of other controllers", () => {
    expect(nextRouteStatus({ parents: [foreign] }, status, noon)).toEqual({ parents: [foreign, entry] });
    expect(nextRouteStatus(undefined, status, noon)).toEqual({ parents: [entry] });
  });

  it("is not written if it already says so, in whatever order", () => {
    expect(nextRouteStatus({ parents: [entry, foreign] }, status, later)).toBeUndefined();
  });

  it("drops our entry for a parent that the route no longer has", () => {
    const gone = { ...entry, parentRef: other };
    expect(nextRouteStatus({ parents: [gone, foreign, entry] }, status, later)).toEqual({ parents: [foreign, entry] });
    expect(nextRouteStatus({ parents: [foreign, entry] }, { ...status, parents: [] }, later)).toEqual({
      parents: [foreign],
    });
  });
});
