import { describe, expect, it } from "vitest";
import { SubscriptionBudget } from "../../../control-plane/push/subscription-budget.ts";

class Stream {
  readonly identity: string;
  readonly #budget: SubscriptionBudget;
  ended = 0;

  constructor(budget: SubscriptionBudget, identity: string) {
    this.#budget = budget;
    this.identity = identity;
  }

  hold(count: number): this {
    this.#budget.change(this, count);
    return this;
  }

  giveUp(): void {
    this.ended++;
    this.#budget.change(this, 0);
  }
}

describe("when there are too many subscriptions", () => {
  it("the identity with the most loses its largest stream, whoever asked last", () => {
    const budget = new SubscriptionBudget(100);
    const greedy = [20, 30, 25].map((count) => new Stream(budget, "greedy").hold(count));
    const honest = new Stream(budget, "honest").hold(25);
    expect(budget.total).toBe(100);
    honest.hold(26);
    expect(greedy.map(({ ended }) => ended)).toEqual([0, 1, 0]);
    expect([honest.ended, budget.total]).toEqual([0, 71]);
  });

  it("as many streams end as necessary", () => {
    const budget = new SubscriptionBudget(10);
    const small = Array.from({ length: 5 }, () => new Stream(budget, "many").hold(2));
    const large = new Stream(budget, "other").hold(4);
    expect(small.map(({ ended }) => ended)).toEqual([1, 1, 0, 0, 0]);
    expect(large.ended).toBe(0);
    large.hold(11);
    expect([large.ended, budget.total]).toEqual([1, 6]);
  });
});

it("counts a stream's current subscriptions, and none of one that has ended", () => {
  const budget = new SubscriptionBudget(10);
  const stream = new Stream(budget, "a").hold(9).hold(4);
  new Stream(budget, "a").hold(6);
  stream.hold(0).hold(0);
  expect([budget.total, stream.ended]).toEqual([6, 0]);
});
