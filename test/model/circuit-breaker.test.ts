import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { CircuitBreaker, mayOpen, type Permit } from "../../model/circuit-breaker.ts";
import { defaultCircuitBreakerPolicy } from "../../model/defaults.ts";
import type { CircuitBreakerPolicy } from "../../model/policy.ts";
import { HandClock } from "../support/hand-clock.ts";

const policy: CircuitBreakerPolicy = {
  ...defaultCircuitBreakerPolicy,
  failureThreshold: 3,
  openDurationMs: 1000,
  successThreshold: 2,
};

let clock: HandClock;
let transitions: string[];
let breaker: CircuitBreaker;

function make(changes: Partial<CircuitBreakerPolicy> = {}, mayItOpen?: () => boolean): void {
  clock = new HandClock(5000);
  transitions = [];
  breaker = new CircuitBreaker(
    { ...policy, ...changes },
    clock,
    (from, to) => transitions.push(`${from} > ${to}`),
    mayItOpen,
  );
}

beforeEach(() => make());

function admitted(): Permit {
  const permit = breaker.admit();
  if (permit === undefined) throw new Error(`not admitted while ${breaker.state.kind}`);
  return permit;
}

function trip(): void {
  while (breaker.state.kind === "closed") admitted().fail();
}

function halfOpen(): Permit {
  trip();
  clock.advance(1000);
  return admitted();
}

describe("closed", () => {
  it("admits all, without allocating", () => {
    const first = admitted();
    expect(admitted()).toBe(first);
    expect(breaker.openUntilMs).toBeUndefined();
  });

  it("opens when failures reach the threshold", () => {
    admitted().fail();
    admitted().fail();
    expect(breaker.state.kind).toBe("closed");
    admitted().fail();
    expect(breaker.state.kind).toBe("open");
    expect(transitions).toEqual(["closed > open"]);
  });

  it("starts again at a success if it counts consecutive failures", () => {
    for (let i = 0; i < 20; i++) {
      admitted().fail();
      admitted().fail();
      admitted().succeed();
    }
    expect(breaker.state.kind).toBe("closed");
  });

  it("counts on over successes if it counts in the window", () => {
    make({ count: "window" });
    admitted().fail();
    admitted().succeed();
    admitted().fail();
    admitted().succeed();
    admitted().fail();
    expect(breaker.state.kind).toBe("open");
  });

  it("does not count an abandoned request", () => {
    admitted().fail();
    admitted().fail();
    admitted().abandon();
    expect(breaker.state.kind).toBe("closed");
    admitted().fail();
    expect(breaker.state.kind).toBe("open");
  });

  it("stays closed while too many others are open, and asks again at the next failure", () => {
    let may = false;
    make({}, () => may);
    for (let i = 0; i < 5; i++) admitted().fail();
    expect(breaker.state.kind).toBe("closed");
    may = true;
    admitted().fail();
    expect(breaker.state.kind).toBe("open");
  });

  it("never becomes half-open", () => {
    admitted();
    clock.advance(1e9);
    admitted().succeed();
    expect(transitions).toEqual([]);
  });
});

describe("open", () => {
  it("admits nothing until its time is over", () => {
    trip();
    expect(breaker.openUntilMs).toBe(6000);
    expect(breaker.admit()).toBeUndefined();
    clock.advance(999);
    expect(breaker.admit()).toBeUndefined();
    expect(breaker.state.kind).toBe("open");
    clock.advance(1);
    expect(breaker.admit()).toBeDefined();
    expect(transitions).toEqual(["closed > open", "open > half-open"]);
  });

  it("drops results of requests that were admitted before it opened", () => {
    const late = admitted();
    trip();
    const { state } = breaker;
    late.fail();
    late.succeed();
    expect(breaker.state).toBe(state);
  });

  it("never closes by itself", () => {
    trip();
    clock.advance(1e9);
    expect(breaker.state.kind).toBe("open");
  });
});

describe("half-open", () => {
  it("admits one probe at a time", () => {
    const probe = halfOpen();
    expect(breaker.admit()).toBeUndefined();
    probe.succeed();
    expect(breaker.admit()).toBeDefined();
    expect(breaker.admit()).toBeUndefined();
  });

  it("closes after successThreshold probes succeeded in a row", () => {
    halfOpen().succeed();
    expect(breaker.state.kind).toBe("half-open");
    admitted().succeed();
    expect(breaker.state.kind).toBe("closed");
    expect(transitions.at(-1)).toBe("half-open > closed");
  });

  it("opens again at one failure, for a full openDuration", () => {
    halfOpen().succeed();
    clock.advance(300);
    admitted().fail();
    expect(breaker.state.kind).toBe("open");
    expect(breaker.openUntilMs).toBe(clock.now() + 1000);
  });

  it("needs all successes again after it has reopened", () => {
    halfOpen().succeed();
    admitted().fail();
    clock.advance(1000);
    admitted().succeed();
    expect(breaker.state.kind).toBe("half-open");
  });

  it("gives an abandoned probe's turn to the next, and keeps the successes", () => {
    halfOpen().succeed();
    admitted().abandon();
    expect(breaker.state.kind).toBe("half-open");
    admitted().succeed();
    expect(breaker.state.kind).toBe("closed");
  });

  it("waits no longer than openDuration for a probe's verdict, and then takes the next one's", () => {
    const hangs = halfOpen();
    clock.advance(999);
    expect([breaker.awaitsProbe, breaker.admit()]).toEqual([false, undefined]);
    clock.advance(1);
    expect(breaker.awaitsProbe).toBe(true);
    const next = admitted();
    expect([breaker.awaitsProbe, breaker.admit()]).toEqual([false, undefined]);
    hangs.fail();
    next.succeed();
    expect(breaker.state).toMatchObject({ kind: "half-open", successes: 1 });
  });

  it("drops results of earlier requests, and of probes that are settled", () => {
    const old = admitted();
    const probe = halfOpen();
    old.fail();
    old.succeed();
    expect(breaker.state.kind).toBe("half-open");
    probe.abandon();
    probe.fail();
    probe.succeed();
    expect(breaker.state).toMatchObject({ kind: "half-open", successes: 0, probe: undefined });
    const next = admitted();
    probe.abandon();
    expect(breaker.admit()).toBeUndefined();
    next.succeed();
    expect(breaker.state).toMatchObject({ successes: 1 });
  });

  it("drops a probe of an earlier half-open time", () => {
    const earlier = halfOpen();
    earlier.fail();
    clock.advance(1000);
    admitted();
    earlier.fail();
    earlier.succeed();
    expect(breaker.state).toMatchObject({ kind: "half-open", successes: 0 });
  });

  it("does not ask whether it may open again: it already counts as open", () => {
    let asked = 0;
    make({}, () => ++asked > 0);
    halfOpen().fail();
    expect(breaker.state.kind).toBe("open");
    expect(asked).toBe(1);
  });
});

describe("closed again", () => {
  it("has forgotten earlier failures", () => {
    halfOpen().succeed();
    admitted().succeed();
    admitted().fail();
    admitted().fail();
    expect(breaker.state.kind).toBe("closed");
  });

  it("drops results of an earlier closed time", () => {
    const earlier = admitted();
    halfOpen().succeed();
    admitted().succeed();
    for (let i = 0; i < 10; i++) earlier.fail();
    expect(breaker.state.kind).toBe("closed");
  });
});

describe("how long it stays open", () => {
  function durations(times: number): number[] {
    const found: number[] = [];
    trip();
    for (let i = 0; i < times; i++) {
      const durationMs = (breaker.openUntilMs ?? 0) - clock.now();
      found.push(durationMs);
      clock.advance(durationMs);
      admitted().fail();
    }
    return found;
  }

  it("is always the same without maxOpenDuration", () => {
    expect(durations(4)).toEqual([1000, 1000, 1000, 1000]);
  });

  it("doubles with each trip up to maxOpenDuration", () => {
    make({ maxOpenDurationMs: 5000 });
    expect(durations(5)).toEqual([1000, 2000, 4000, 5000, 5000]);
  });

  it("is short again after it was closed", () => {
    make({ maxOpenDurationMs: 5000, successThreshold: 1 });
    durations(2);
    clock.advance(5000);
    admitted().succeed();
    expect(durations(1)).toEqual([1000]);
  });
});

it("moves only along its arrows, whatever happens in whatever order", () => {
  const arrows = new Set(["closed > open", "open > half-open", "half-open > open", "half-open > closed"]);
  const event = fc.oneof(
    fc.constant("admit" as const),
    fc.record({ which: fc.nat(20), outcome: fc.constantFrom("succeed" as const, "fail" as const, "abandon" as const) }),
    fc.nat(2000),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      make();
      const out: Permit[] = [];
      let probe: Permit | undefined;
      let probedAtMs = 0;
      let probesTogether = 0;
      for (const step of events) {
        if (step === "admit") {
          const permit = breaker.admit();
          if (permit === undefined) continue;
          out.push(permit);
          if (breaker.state.kind !== "half-open") continue;
          if (probe !== undefined && clock.now() < probedAtMs + policy.openDurationMs) probesTogether++;
          probe = permit;
          probedAtMs = clock.now();
        } else if (typeof step === "number") {
          clock.advance(step);
        } else if (out.length > 0) {
          const [permit] = out.splice(step.which % out.length, 1);
          permit?.[step.outcome]();
          if (permit === probe) probe = undefined;
        }
      }
      expect(probesTogether).toBe(0);
      for (const transition of transitions) expect(arrows).toContain(transition);
    }),
  );
});

it("never opens for more than maxOpenPercent of the endpoints", () => {
  expect(mayOpen(0, 10, 50)).toBe(true);
  expect(mayOpen(4, 10, 50)).toBe(true);
  expect(mayOpen(5, 10, 50)).toBe(false);
  expect(mayOpen(0, 1, 50)).toBe(false);
  expect(mayOpen(0, 1, 100)).toBe(true);
  expect(mayOpen(0, 10, 0)).toBe(false);
});
