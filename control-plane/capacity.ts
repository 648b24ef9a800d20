/**
 * How much a replica may be made to hold, by its memory: its container's limit, or the machine's. Together with a cluster of
 * 10,000 Services that fits into 1 GiB, so no number of sidecars, genuine or not, can exhaust its memory.
 */

import { totalmem } from "node:os";

export interface Capacity {
  /** To Discovery. Those to Identity last for one call: it takes a quarter as many. */
  readonly maxConnections: number;
  /** Of all sidecars together. */
  readonly maxSubscriptions: number;
  /** Of messages that are not whole yet, of one port. */
  readonly maxReadingBytes: number;
}

/** `test/bench` says what an idle stream and a subscription take; the kernel has its part too. */
const connectionBytes = 128 * 1024;
const subscriptionBytes = 512;
/** A replica that has more memory than anybody needs is told by an option to take more. */
const most: Capacity = { maxConnections: 5_000, maxSubscriptions: 1_000_000, maxReadingBytes: 64 * 1024 * 1024 };

export function capacityOf(memoryBytes: number): Capacity {
  const share = (part: number, bytesEach: number): number => Math.floor((memoryBytes * part) / bytesEach);
  return {
    maxConnections: Math.min(share(1 / 3, connectionBytes), most.maxConnections),
    maxSubscriptions: Math.min(share(1 / 8, subscriptionBytes), most.maxSubscriptions),
    maxReadingBytes: Math.min(share(1 / 32, 1), most.maxReadingBytes),
  };
}

/** Of this process. */
export function availableMemoryBytes(): number {
  // 0: nobody knows. Without a limit it is more than there is.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}
