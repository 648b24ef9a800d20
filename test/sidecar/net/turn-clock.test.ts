import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { TurnClock } from "../../../sidecar/net/turn-clock.ts";
import { HandClock } from "../../support/hand-clock.ts";

it("gives the same time throughout a turn of the event loop", () => {
  const hand = new HandClock();
  const clock = new TurnClock(hand);
  const before = clock.now();

  hand.advance(5);

  expect(clock.now()).toBe(before);
});

it("reads the time anew in the next turn", async () => {
  const hand = new HandClock();
  const clock = new TurnClock(hand);
  const before = clock.now();
  hand.advance(5);

  await turn();

  expect(clock.now()).toBe(before + 5);
});
