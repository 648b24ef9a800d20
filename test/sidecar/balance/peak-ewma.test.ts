import { expect, it } from "vitest";
import { PeakEwma } from "../../../sidecar/balance/peak-ewma.ts";
import { HandClock } from "../../support/hand-clock.ts";

function load() {
  const clock = new HandClock();
  return { clock, load: new PeakEwma(clock) };
}

it("tries an endpoint that was never tried, and then waits for its response", () => {
  const { load: fresh } = load();
  expect(fresh.cost).toBe(0);
  fresh.begin();
  expect(fresh.cost).toBe(30);
});

it("costs its latency times the requests in progress plus one", () => {
  const { load: busy } = load();
  busy.observe(20, false);
  expect(busy.cost).toBe(20);
  busy.begin();
  busy.begin();
  expect([busy.pending, busy.cost]).toEqual([2, 60]);
  busy.end();
  expect([busy.pending, busy.cost]).toEqual([1, 40]);
});

it("lets a rise count at once and a fall slowly", () => {
  const { clock, load: changing } = load();
  changing.observe(10, false);
  changing.observe(200, false);
  expect(changing.cost).toBe(200);
  clock.advance(1_000);
  changing.observe(10, false);
  expect(changing.cost).toBeGreaterThan(150);
  for (let i = 0; i < 60; i++) {
    clock.advance(1_000);
    changing.observe(10, false);
  }
  expect(changing.cost).toBeCloseTo(10, 0);
});

it("counts a quick failure as a slow response, and a slow failure by its time", () => {
  const { load: failing } = load();
  failing.observe(1, true);
  expect(failing.cost).toBe(500);
  failing.observe(2_000, true);
  expect(failing.cost).toBe(2_000);
});

it("decays while unused, so that one failure does not exclude an endpoint for good", () => {
  const { clock, load: failed } = load();
  const sound = new PeakEwma(clock);
  failed.observe(1, true);
  for (let i = 0; i < 60; i++) {
    clock.advance(1_000);
    sound.observe(5, false);
  }
  expect(failed.cost).toBeLessThan(sound.cost);
});

it("learns from callers that gave up after a while that it is slow, and nothing from those that left quickly", () => {
  const { load: slow } = load();
  slow.observe(20, false);
  slow.observeAtLeast(5);
  expect(slow.cost).toBe(20);
  slow.observeAtLeast(900);
  expect(slow.cost).toBe(900);
});
