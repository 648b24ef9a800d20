/** Faults made on purpose: which of them a request gets. Chaos has an end: after the policy's time there is none. */

import type { Random } from "./clock.ts";
import type { FaultAbort, FaultPolicy } from "./policy.ts";

export interface Fault {
  /** Before anything else happens; 0: at once. */
  readonly delayMs: number;
  /** The answer in place of the application's; absent: the request goes on. */
  readonly abort?: FaultAbort;
}

/** Undefined: the request goes untouched. Delay and abort are drawn apart. `nowUnixMs` is wall-clock time. */
export function faultOf(policy: FaultPolicy, nowUnixMs: number, random: Random): Fault | undefined {
  if (nowUnixMs >= policy.untilUnixMs) return undefined;
  const { delay, abort } = policy;
  const delayed = delay !== undefined && random() * 100 < delay.percent;
  const aborted = abort !== undefined && random() * 100 < abort.percent;
  if (!delayed && !aborted) return undefined;
  return { delayMs: delayed ? delay.delayMs : 0, ...(aborted && { abort }) };
}
