/**
 * How much a replica may be made to hold, by its memory: its container's limit, or the machine's. Together with a cluster of
 * 10,000 Services that fits into 1 GiB, so no number of sidecars, genuine or not, can exhaust its memory.
 */

import { totalmem } from "node:os";

export interface Capacity {
  /** Connections to Discovery. Identity gets a quarter as many, because its connections last for a single call. */
  readonly maxConnections: number;
  /** The subscriptions of all sidecars together. */
  readonly maxSubscriptions: number;
  /** Bytes of incomplete messages, per port. */
  readonly maxReadingBytes: number;
}

/** `test/bench` measures the cost of an idle stream and of a subscription; the kernel adds its share. */
const connectionBytes = 128 * 1024;
const subscriptionBytes = 512;
/** If a replica has more memory than this, an option raises the limit. */
const most: Capacity = { maxConnections: 5_000, maxSubscriptions: 1_000_000, maxReadingBytes: 64 * 1024 * 1024 };

export function capacityOf(memoryBytes: number): Capacity {
  const share = (part: number, bytesEach: number): number => Math.floor((memoryBytes * part) / bytesEach);
  return {
    maxConnections: Math.min(share(1 / 3, connectionBytes), most.maxConnections),
    maxSubscriptions: Math.min(share(1 / 8, subscriptionBytes), most.maxSubscriptions),
    maxReadingBytes: Math.min(share(1 / 32, 1), most.maxReadingBytes),
  };
}

/** The memory available to this process. */
export function availableMemoryBytes(): number {
  // 0 means unknown. Without a limit the value exceeds the machine's memory.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}
