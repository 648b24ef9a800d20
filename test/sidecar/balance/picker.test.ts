import { describe, expect, it } from "vitest";
import type { LiveEndpoint } from "../../../sidecar/balance/live-endpoint.ts";
import { Picker } from "../../../sidecar/balance/picker.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { liveEndpoint, trippy } from "./endpoints.ts";

function endpoints(count: number) {
  const clock = new HandClock();
  const lives = Array.from({ length: count }, (_, index) => liveEndpoint(clock, `10.0.0.${index}:80`, trippy).live);
  for (const { load } of lives) load.observe(10, false);
  return { clock, lives, picker: new Picker({ preferred: lives, others: [] }, seededRandom(7)) };
}

function pickFrom(picker: Picker, avoid?: readonly string[]): string {
  const pick = picker.pick(avoid, false);
  return pick.kind === "picked" ? pick.endpoint.endpoint.address : pick.kind;
}

const at = (lives: readonly LiveEndpoint[], index: number) => lives[index] as LiveEndpoint;
const trip = (live: LiveEndpoint) => live.admit(false)?.fail();

it("picks nothing if there is nothing", () => {
  expect(pickFrom(new Picker({ preferred: [], others: [] }, seededRandom(7)))).toBe("none");
});

it("picks the only endpoint, even if it is loaded or was tried before", () => {
  const { picker, lives } = endpoints(1);
  at(lives, 0).load.begin();
  expect(pickFrom(picker)).toBe("10.0.0.0:80");
  expect(pickFrom(picker, ["10.0.0.0:80"])).toBe("10.0.0.0:80");
});

it("spreads evenly over equal endpoints", () => {
  const { picker } = endpoints(5);
  const counts = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const address = pickFrom(picker);
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  expect(counts.size).toBe(5);
  for (const count of counts.values()) expect(Math.abs(count - 2_000)).toBeLessThan(200);
});

it("always picks the cheaper of two, and never the most expensive of many", () => {
  const two = endpoints(2);
  at(two.lives, 1).load.begin();
  for (let i = 0; i < 100; i++) expect(pickFrom(two.picker)).toBe("10.0.0.0:80");
  const many = endpoints(5);
  at(many.lives, 3).load.observe(900, false);
  for (let i = 0; i < 1_000; i++) expect(pickFrom(many.picker)).not.toBe("10.0.0.3:80");
});

describe("an endpoint that was tried before", () => {
  it("is picked only if there is nothing else", () => {
    const { picker, lives } = endpoints(3);
    for (const { load } of lives.slice(2)) load.observe(900, false);
    for (let i = 0; i < 100; i++) expect(pickFrom(picker, ["10.0.0.0:80", "10.0.0.1:80"])).toBe("10.0.0.2:80");
    trip(at(lives, 2));
    for (let i = 0; i < 100; i++) expect(pickFrom(picker, ["10.0.0.0:80", "10.0.0.1:80"])).toMatch(/[01]:80$/);
  });
});

describe("an open breaker", () => {
  it("keeps its endpoint from being picked", () => {
    const { picker, lives } = endpoints(3);
    trip(at(lives, 0));
    trip(at(lives, 1));
    for (let i = 0; i < 100; i++) expect(pickFrom(picker)).toBe("10.0.0.2:80");
    trip(at(lives, 2));
    expect(pickFrom(picker)).toBe("no-permit");
    expect(pickFrom(picker, ["10.0.0.0:80"])).toBe("no-permit");
  });

  it("gives the endpoints after it no more than their share", () => {
    const { picker, lives } = endpoints(4);
    trip(at(lives, 0));
    trip(at(lives, 1));
    const counts = { "10.0.0.2:80": 0, "10.0.0.3:80": 0 };
    for (let i = 0; i < 4_000; i++) counts[pickFrom(picker) as keyof typeof counts]++;
    expect(Math.abs(counts["10.0.0.2:80"] - 2_000)).toBeLessThan(200);
  });

  it("gets one probe once its time is over, and gets it first, however expensive the failure has made it", () => {
    const { clock, picker, lives } = endpoints(2);
    const tripped = at(lives, 0);
    tripped.load.observe(5_000, true);
    trip(tripped);
    clock.advance(29_999);
    expect(pickFrom(picker)).toBe("10.0.0.1:80");
    clock.advance(1);
    expect(pickFrom(picker)).toBe("10.0.0.0:80");
    expect(tripped.breakerState).toBe("half-open");
    for (let i = 0; i < 100; i++) expect(pickFrom(picker)).toBe("10.0.0.1:80");
  });

  it("does not use up its probe on a request that goes elsewhere", () => {
    const { clock, picker, lives } = endpoints(2);
    trip(at(lives, 0));
    clock.advance(30_000);
    expect(pickFrom(picker, ["10.0.0.0:80"])).toBe("10.0.0.1:80");
    expect(at(lives, 0).breakerState).toBe("open");
  });
});

describe("endpoints farther away", () => {
  function nearAndFar() {
    const { clock, lives } = endpoints(4);
    const picker = new Picker({ preferred: lives.slice(0, 2), others: lives.slice(2) }, seededRandom(7));
    return { clock, lives, picker };
  }

  it("are not picked while a near one admits requests", () => {
    const { picker, lives } = nearAndFar();
    trip(at(lives, 0));
    at(lives, 1).load.observe(5_000, true);
    for (let i = 0; i < 200; i++) expect(pickFrom(picker)).toBe("10.0.0.1:80");
  });

  it("are picked if no near one admits, and for a retry if all near ones were tried", () => {
    const { picker, lives } = nearAndFar();
    expect(pickFrom(picker, ["10.0.0.0:80", "10.0.0.1:80"])).toMatch(/[23]:80$/);
    trip(at(lives, 0));
    trip(at(lives, 1));
    const picked = new Set(Array.from({ length: 100 }, () => pickFrom(picker)));
    expect([...picked].sort()).toEqual(["10.0.0.2:80", "10.0.0.3:80"]);
  });
});

describe("a slow start", () => {
  function warming(warmUpMs: number) {
    const { clock, lives } = endpoints(4);
    const fresh = liveEndpoint(clock, "10.0.0.9:80", undefined, true).live;
    fresh.warmUpMs = warmUpMs;
    fresh.load.observe(10, false);
    const picker = new Picker({ preferred: [...lives, fresh], others: [] }, seededRandom(7));
    const shareOf = (picks = 10_000) => {
      let count = 0;
      for (let i = 0; i < picks; i++) if (pickFrom(picker) === "10.0.0.9:80") count++;
      return count / picks;
    };
    return { clock, fresh, shareOf };
  }

  it("gives a new endpoint a tenth of its share at first, and more over time", () => {
    const { clock, shareOf } = warming(10_000);
    const shares = [0, 2_500, 5_000, 10_000].map((atMs) => {
      clock.advance(atMs - clock.now());
      return shareOf();
    });
    expect(shares[0]).toBeGreaterThan(0.01);
    expect(shares[0]).toBeLessThan(0.06);
    for (let i = 1; i < shares.length; i++) expect(shares[i]).toBeGreaterThan(shares[i - 1] ?? 0);
    expect(Math.abs((shares[3] ?? 0) - 0.2)).toBeLessThan(0.02);
  });

  it("ends for good", () => {
    const { clock, fresh } = warming(10_000);
    clock.advance(10_000);
    expect(fresh.warmth).toBe(1);
    fresh.warmUpMs = 60_000;
    expect(fresh.warmth).toBe(1);
  });

  it("does not happen unless it is configured", () => {
    expect(Math.abs(warming(0).shareOf() - 0.2)).toBeLessThan(0.02);
  });
});

it("compares two endpoints, whether there are 2 or 10,000", () => {
  const looked = [1, 2, 10_000].map((count) => {
    const { lives, picker } = endpoints(count);
    let asked = 0;
    for (const live of lives) {
      const { load } = live;
      Object.defineProperty(live, "load", {
        get: () => {
          asked++;
          return load;
        },
      });
    }
    for (let i = 0; i < 100; i++) pickFrom(picker);
    return asked / 100;
  });
  expect(looked).toEqual([0, 2, 2]);
});
