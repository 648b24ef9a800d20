/** The retry budgets of this sidecar, by destination: they outlive updates that leave their policy as it was. */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../model/clock.ts";
import { defaultRetryBudget } from "../../model/defaults.ts";
import type { RetryBudgetPolicy } from "../../model/policy.ts";
import { RetryBudget } from "../../model/retry-budget.ts";

export class RetryBudgets {
  readonly #clock: Clock;
  readonly #budgets = new Map<string, { readonly policy: RetryBudgetPolicy; readonly budget: RetryBudget }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(destination: string, policy: RetryBudgetPolicy = defaultRetryBudget): RetryBudget {
    const known = this.#budgets.get(destination);
    if (known !== undefined && isDeepStrictEqual(known.policy, policy)) return known.budget;
    const budget = new RetryBudget(policy, this.#clock);
    this.#budgets.set(destination, { policy, budget });
    return budget;
  }

  forget(destination: string): void {
    this.#budgets.delete(destination);
  }
}
