import { expect, it } from "vitest";
import {
  countNotProgrammed,
  describeProgrammed,
  type ResourceAck,
  whileReturning,
} from "../../../control-plane/status/programmed.ts";

const done = { subscribers: 2, acked: 2, nacks: [], laggards: [] };

it("is true without any subscriber", () => {
  expect(describeProgrammed([])).toMatchObject({ status: "True", reason: "NoSubscribers", message: "0/0" });
});

it("is true once all subscribers of all resources have confirmed", () => {
  expect(describeProgrammed([done, { ...done, subscribers: 3, acked: 3 }])).toMatchObject({
    status: "True",
    reason: "Programmed",
    message: "5/5 sidecars",
  });
});

it("names the generation of the object that they have", () => {
  expect(describeProgrammed([done], { version: 3 }).message).toBe("2/2 sidecars at version 3");
  expect(describeProgrammed([{ ...done, acked: 1 }], { version: 3 }).message).toBe("1/2 sidecars at version 3");
});

it("is not true while an ack is missing", () => {
  expect(describeProgrammed([done, { ...done, acked: 1, laggards: ["web-1"] }])).toMatchObject({
    status: "False",
    reason: "Pending",
    message: "3/4 sidecars; waiting for web-1",
  });
});

it("names at most ten that refused, with reasons", () => {
  const nacks = Array.from({ length: 12 }, (_, n) => ({ pod: `web-${n}`, reason: "no" }));
  const condition = describeProgrammed([{ ...done, subscribers: 12, acked: 0, nacks }]);
  expect(condition).toMatchObject({ status: "False", reason: "Refused" });
  expect(condition.message).toMatch(/^0\/12 sidecars; web-0: no, .*web-9: no and 2 more$/);
});

it("is Unknown while sidecars return, unless one is known not to have it", () => {
  const pending = describeProgrammed([{ ...done, acked: 1 }]);
  expect(whileReturning(pending)).toBe(pending);
  expect([[], [done]].map((acks) => whileReturning(describeProgrammed(acks)))).toMatchObject([
    { status: "Unknown", reason: "Pending", message: "0/0; sidecars are still connecting to the control plane" },
    {
      status: "Unknown",
      reason: "Pending",
      message: "2/2 sidecars; sidecars are still connecting to the control plane",
    },
  ]);
});

it("counts the policies that are not in force everywhere by their worst resource, and asks about each resource once", () => {
  const nacks = [{ pod: "web-1", reason: "no" }];
  const acks: Record<string, ResourceAck> = {
    done,
    slow: { ...done, acked: 1 },
    bad: { ...done, acked: 0, nacks },
  };
  const carriers: Record<string, string[]> = {
    fine: ["done"],
    unused: ["nobody"],
    late: ["done", "slow"],
    later: ["slow"],
    refused: ["slow", "bad"],
    open: ["slow"],
  };
  const asked: string[] = [];
  const counted = countNotProgrammed(
    Object.keys(carriers),
    (policy) => (carriers[policy] ?? []).map((name) => ({ kind: "endpoints", name })),
    ({ name }) => {
      asked.push(name);
      return acks[name];
    },
    new Map([
      ["open", ["shop/a"]],
      ["refused", ["shop/a"]],
    ]),
  );
  expect(counted).toEqual({ Refused: 1, Pending: 2, NotRedirected: 1 });
  expect(asked.sort()).toEqual(["bad", "done", "nobody", "slow"]);
});
