import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { atTurnEnd } from "../../../sidecar/net/turn-end.ts";

it("calls each once, in the order requested, and not before the turn ends", async () => {
  const called: string[] = [];
  atTurnEnd(() => called.push("a"));
  atTurnEnd(() => called.push("b"));
  await Promise.resolve();
  process.nextTick(() => called.push("tick"));
  expect(called).toEqual([]);

  await turn();
  await turn();

  expect(called).toEqual(["tick", "a", "b"]);
});

it("defers to the end of the next turn what is requested at the end of one", async () => {
  const called: string[] = [];
  atTurnEnd(() => {
    called.push("first");
    atTurnEnd(() => called.push("second"));
  });

  await turn();
  expect(called).toEqual(["first"]);

  await turn();
  expect(called).toEqual(["first", "second"]);
});
