/** A pair of proxies under test, whoever made them. */

import type { Ground, Wire } from "./ground.ts";
import type { Processes } from "./processes.ts";

export interface Chain {
  /** As it stands in tables and in the JSON. */
  readonly name: string;
  /** Starts both proxies; resolves when both listen. */
  start(ground: Ground, wire: Wire, processes: Processes): Promise<RunningChain>;
}

export interface RunningChain {
  readonly outPid: number;
  readonly inPid: number;
}

export function pidsOf({ outPid, inPid }: RunningChain): readonly number[] {
  return [outPid, inPid];
}
