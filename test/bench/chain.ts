/** A pair of proxies under test, of any make. */

import type { Ground, Wire } from "./ground.ts";
import { type Command, type Endpoint, type Processes, whenListening } from "./processes.ts";

export interface Chain {
  /** The name in tables and in the JSON. */
  readonly name: string;
  /** Writes the configuration of both proxies, and starts what else they need: a control plane. */
  prepare(ground: Ground, wire: Wire, processes: Processes): Promise<PreparedChain>;
}

/** Neither proxy is started yet. The outbound one will listen at the ground's `out`. */
export interface PreparedChain {
  readonly outbound: Command;
  readonly inbound: Command;
  /** Where the inbound proxy will listen for the outbound one. */
  readonly link: Endpoint;
}

export interface RunningChain {
  readonly outPid: number;
  readonly inPid: number;
  /** As it was started. */
  readonly outbound: Command;
}

export function pidsOf({ outPid, inPid }: RunningChain): readonly number[] {
  return [outPid, inPid];
}

/** Resolves when both proxies listen. */
export async function startChain(
  chain: Chain,
  ground: Ground,
  wire: Wire,
  processes: Processes,
): Promise<RunningChain> {
  const { inbound, outbound, link } = await chain.prepare(ground, wire, processes);
  const inPid = processes.start(inbound);
  await whenListening(link);
  const outPid = processes.start(outbound);
  await whenListening(ground.out);
  return { outPid, inPid, outbound };
}
