import { describe, expect, it } from "vitest";
import { type Applicant, type ReviewLimits, ReviewQueue } from "../../../control-plane/identity/review-queue.ts";
import { HandClock } from "../../support/hand-clock.ts";

/** A reviewer that answers when a test says so. */
class Desk {
  readonly clock = new HandClock();
  readonly queue: ReviewQueue;
  /** Whose reviews have begun, in their order. */
  readonly begun: string[] = [];
  readonly #ends: PromiseWithResolvers<string>[] = [];
  maxAtOnce = 0;

  constructor(limits: ReviewLimits) {
    this.queue = new ReviewQueue(limits, this.clock);
  }

  /** Resolves to what became of it. */
  async ask(address: string, applicant: Partial<Applicant> = {}): Promise<string> {
    const taken = await this.queue.take({ address, isThere: () => true, ...applicant }, () => {
      this.begun.push(address);
      this.maxAtOnce = Math.max(this.maxAtOnce, this.queue.underWay);
      const end = Promise.withResolvers<string>();
      this.#ends.push(end);
      return end.promise;
    });
    return taken.ok ? taken.value : `${taken.error.why}${taken.error.isNews ? "" : " still"}`;
  }

  /** Ends the reviews that are under way, the first ones if so many are given. */
  async answer(count = this.#ends.length): Promise<void> {
    for (const { resolve } of this.#ends.splice(0, count)) resolve("reviewed");
    await new Promise(setImmediate);
  }
}

const narrow: ReviewLimits = { atOnce: 2, waiting: 3 };

describe("a review", () => {
  it("begins at once if there is room, else in its turn", async () => {
    const desk = new Desk(narrow);
    const asked = ["a", "b", "c", "d"].map((address) => desk.ask(address));
    expect(desk.begun).toEqual(["a", "b"]);
    expect([desk.queue.underWay, desk.queue.waiting]).toEqual([2, 2]);
    await desk.answer(1);
    expect(desk.begun).toEqual(["a", "b", "c"]);
    await desk.answer();
    await desk.answer();
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 4 }, () => "reviewed"));
    expect([desk.queue.underWay, desk.queue.waiting, desk.maxAtOnce]).toEqual([0, 0, 2]);
  });

  it("that fails gives its place to the next", async () => {
    const queue = new ReviewQueue({ atOnce: 1, waiting: 1 }, new HandClock());
    const applicant = { address: "a", isThere: () => true };
    const first = queue.take(applicant, () => Promise.reject(new Error("no API server")));
    const second = queue.take(applicant, () => Promise.resolve("reviewed"));
    await expect(first).rejects.toThrow("no API server");
    expect(await second).toEqual({ ok: true, value: "reviewed" });
    expect(queue.underWay).toBe(0);
  });

  it("does not begin for a caller that has hung up", async () => {
    const desk = new Desk({ atOnce: 1, waiting: 2 });
    const asked = [desk.ask("a"), desk.ask("b", { isThere: () => false }), desk.ask("c")];
    await desk.answer();
    await desk.answer();
    expect(desk.begun).toEqual(["a", "c"]);
    expect(await Promise.all(asked)).toEqual(["reviewed", "busy", "reviewed"]);
  });

  it("is refused if too many wait: one of the address that has most of them", async () => {
    const desk = new Desk(narrow);
    const flood = Array.from({ length: 5 }, () => desk.ask("flood"));
    const late = desk.ask("other");
    const tooMany = desk.ask("flood");
    expect(await tooMany).toBe("busy still");
    while (desk.queue.underWay > 0) await desk.answer();
    expect(await late).toBe("reviewed");
    expect((await Promise.all(flood)).filter((outcome) => outcome === "busy")).toHaveLength(1);
  });
});

it("that an address is turned away is news once, until nobody waits any more", async () => {
  const desk = new Desk({ atOnce: 1, waiting: 1 });
  const crowd = async (): Promise<string[]> => {
    const asked = ["a", "a", "a", "a"].map((address) => desk.ask(address));
    while (desk.queue.underWay > 0) await desk.answer();
    return (await Promise.all(asked)).filter((outcome) => outcome !== "reviewed");
  };
  expect(await crowd()).toEqual(["busy", "busy still"]);
  expect(await crowd()).toEqual(["busy", "busy still"]);
});

it("that more addresses are turned away than it remembers is no news each time", async () => {
  const desk = new Desk({ atOnce: 1, waiting: 1 });
  const asked = Array.from({ length: 10_100 }, (_, caller) => desk.ask(`fd00::${caller.toString(16)}`));
  while (desk.queue.underWay > 0) await desk.answer();
  const outcomes = await Promise.all(asked);
  expect(outcomes.filter((outcome) => outcome === "busy")).toHaveLength(10_000);
});

describe("an address that asks too often", () => {
  const limits: ReviewLimits = { ...narrow, perAddress: { requests: 10, perMs: 1_000, burst: 2 } };
  const outcome = async (desk: Desk, address: string): Promise<string> => {
    const asked = desk.ask(address);
    await desk.answer();
    return asked;
  };

  it("is refused, which is news once, until it has waited; others are not", async () => {
    const desk = new Desk(limits);
    expect([await outcome(desk, "a"), await outcome(desk, "a")]).toEqual(["reviewed", "reviewed"]);
    expect([await outcome(desk, "a"), await outcome(desk, "a")]).toEqual(["too_often", "too_often still"]);
    expect(await outcome(desk, "b")).toBe("reviewed");
    desk.clock.advance(100);
    expect([await outcome(desk, "a"), await outcome(desk, "a")]).toEqual(["reviewed", "too_often"]);
    expect(desk.begun).toEqual(["a", "a", "b", "a"]);
  });
});

it("lets a whole mesh through that starts at once", async () => {
  const desk = new Desk({ atOnce: 50, waiting: 1_000, perAddress: { requests: 20, perMs: 1_000, burst: 300 } });
  const asked = Array.from({ length: 1_000 }, (_, pod) => desk.ask(`10.0.${pod % 4}.1`));
  while (desk.queue.underWay > 0) await desk.answer();
  expect(new Set(await Promise.all(asked))).toEqual(new Set(["reviewed"]));
  expect(desk.maxAtOnce).toBe(50);
});
