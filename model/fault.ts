/** Injected faults: which of them a request gets. After the policy's end time there are none. */

import type { Random } from "./clock.ts";
import type { FaultAbort, FaultPolicy } from "./policy.ts";

export interface Fault {
  /** Before anything else happens; 0: at once. */
  readonly delayMs: number;
  /** The response instead of the application's; absent: the request goes on. */
  readonly abort?: FaultAbort;
}

/** Undefined: no fault. Delay and abort are drawn independently. `nowUnixMs` is wall-clock time. */
export function faultOf(policy: FaultPolicy, nowUnixMs: number, random: Random): Fault | undefined {
  if (nowUnixMs >= policy.untilUnixMs) return undefined;
  const { delay, abort } = policy;
  const delayed = delay !== undefined && random() * 100 < delay.percent;
  const aborted = abort !== undefined && random() * 100 < abort.percent;
  if (!delayed && !aborted) return undefined;
  return { delayMs: delayed ? delay.delayMs : 0, ...(aborted && { abort }) };
}
