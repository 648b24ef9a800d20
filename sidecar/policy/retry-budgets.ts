/** The retry budgets of this sidecar, by destination and policy: they survive updates that leave their policy unchanged. */

import type { Clock } from "../../model/clock.ts";
import { defaultRetryBudget } from "../../model/defaults.ts";
import type { RetryBudgetPolicy } from "../../model/policy.ts";
import { RetryBudget } from "../../model/retry-budget.ts";

/** The routes of one destination rarely have more than two policies; budgets not asked for any more go first. */
const maxBudgets = 16;

export class RetryBudgets {
  readonly #clock: Clock;
  /** By destination, then by policy; of each destination, the least recently used budget first. */
  readonly #budgets = new Map<string, Map<string, RetryBudget>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(destination: string, policy: RetryBudgetPolicy = defaultRetryBudget): RetryBudget {
    const budgets = this.#budgets.get(destination) ?? new Map<string, RetryBudget>();
    this.#budgets.set(destination, budgets);
    const { percent, windowMs, minRetriesPerSecond } = policy;
    const key = `${percent} ${windowMs} ${minRetriesPerSecond}`;
    const budget = budgets.get(key) ?? new RetryBudget(policy, this.#clock);
    budgets.delete(key);
    budgets.set(key, budget);
    for (const oldest of budgets.keys()) {
      if (budgets.size <= maxBudgets) break;
      budgets.delete(oldest);
    }
    return budget;
  }

  /** All budgets of a destination. */
  ofDestination(destination: string): Iterable<RetryBudget> {
    return this.#budgets.get(destination)?.values() ?? [];
  }

  /** Forgets the budgets of all other destinations. */
  retain(destinations: ReadonlySet<string>): void {
    for (const destination of this.#budgets.keys()) {
      if (!destinations.has(destination)) this.#budgets.delete(destination);
    }
  }
}
