import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Deadline } from "../../../sidecar/net/deadline.ts";
import { Timer, TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { holdUp } from "../../support/hold-up.ts";
import { listen, RawClient } from "../../support/sockets.ts";

class Probe extends Timer {
  expiredAt: number[] = [];
  readonly clock: HandClock;

  constructor(clock: HandClock) {
    super();
    this.clock = clock;
  }

  expire(): void {
    this.expiredAt.push(this.clock.now());
  }
}

function turn(clock: HandClock, wheel: TimerWheel, ms: number): void {
  for (let i = 0; i < ms; i++) {
    clock.advance(1);
    wheel.advance();
  }
}

it("expires late by at most a tick, and never early", () => {
  const clock = new HandClock(12_345);
  const wheel = new TimerWheel(clock, { drive: false });
  for (const delay of [0, 1, 9, 10, 11, 250, 10_239, 10_240, 10_241, 60_000]) {
    const probe = new Probe(clock);
    const start = clock.now();
    wheel.arm(probe, delay);
    turn(clock, wheel, delay + 20);
    expect(probe.expiredAt, `${delay} ms`).toHaveLength(1);
    expect((probe.expiredAt[0] ?? 0) - start).toBeGreaterThanOrEqual(delay);
    expect((probe.expiredAt[0] ?? 0) - start).toBeLessThanOrEqual(delay + 20);
  }
});

describe("driven by itself", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setImmediate", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  /** A clock that counts how often it is read. */
  function countingClock() {
    const clock = {
      reads: 0,
      now: () => {
        clock.reads++;
        return performance.now();
      },
    };
    return clock;
  }

  it("expires late by at most a tick, whenever it was armed while nothing was due soon", () => {
    const wheel = new TimerWheel(performance);
    wheel.arm(new Deadline(() => {}), 60_000);
    for (const delay of [0, 1, 9, 10, 39, 49, 50, 51, 59, 60, 61, 70, 250, 10_241]) {
      for (const offset of [0, 7, 33, 48]) {
        vi.advanceTimersByTime(100 + offset);
        const armedAt = performance.now();
        let tookMs = -1;
        wheel.arm(
          new Deadline(() => {
            tookMs = performance.now() - armedAt;
          }),
          delay,
        );
        vi.advanceTimersByTime(delay + 25);
        expect(tookMs, `${delay} ms`).toBeGreaterThanOrEqual(delay);
        expect(tookMs, `${delay} ms`).toBeLessThanOrEqual(delay + 20);
      }
    }
  });

  it("wakes the process twenty times a second while nothing is due soon, and no more once nothing is armed", () => {
    const clock = countingClock();
    const wheel = new TimerWheel(clock);
    const far = new Deadline(() => {});
    wheel.arm(far, 60_000);
    vi.advanceTimersByTime(100);
    clock.reads = 0;
    vi.advanceTimersByTime(1_000);
    expect(clock.reads).toBeLessThanOrEqual(2 * 21); // each look reads it twice
    wheel.clear(far);
    clock.reads = 0;
    vi.advanceTimersByTime(1_000);
    expect(clock.reads).toBeLessThanOrEqual(2); // of a look that was on its way
  });
});

it("does not expire cleared timers, and can arm them again", () => {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const cleared = new Probe(clock);
  const armedTwice = new Probe(clock);
  wheel.arm(cleared, 50);
  wheel.arm(armedTwice, 50);
  wheel.arm(armedTwice, 100);
  wheel.clear(cleared);
  turn(clock, wheel, 80);
  expect(cleared.expiredAt).toEqual([]);
  expect(armedTwice.expiredAt).toEqual([]);
  turn(clock, wheel, 50);
  expect(armedTwice.expiredAt).toHaveLength(1);
});

it("lets a timer that expires clear its neighbour in the same slot", () => {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const neighbour = new Probe(clock);
  const killer = new (class extends Probe {
    override expire(): void {
      super.expire();
      wheel.clear(neighbour);
    }
  })(clock);
  wheel.arm(neighbour, 50);
  wheel.arm(killer, 50);
  turn(clock, wheel, 100);
  expect([killer.expiredAt.length, neighbour.expiredAt.length]).toEqual([1, 0]);
});

it("catches up after the process was stopped for longer than a revolution of the wheel", () => {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const probes = [5, 5_000, 50_000].map((delay) => {
    const probe = new Probe(clock);
    wheel.arm(probe, delay);
    return probe;
  });
  clock.advance(100_000);
  wheel.advance();
  expect(probes.map((probe) => probe.expiredAt)).toEqual([[100_000], [100_000], [100_000]]);
});

it("after a time in which the process did not run, lets input that came in time be read before timers expire, and reports how long that was", async () => {
  const wheel = new TimerWheel(performance);
  const accepted = Promise.withResolvers<Socket>();
  const server = await listen(accepted.resolve);
  const client = new RawClient(server.port);
  const peer = await accepted.promise;
  const received = await new Promise<string>((resolve) => {
    wheel.arm(new Deadline(() => resolve(client.received)), 20);
    peer.write("in time");
    holdUp(200);
  });
  await server.close();
  expect(received).toBe("in time");
  expect(wheel.heldUpMs).toBeGreaterThanOrEqual(140);
});
