/** Sums up what sidecars say about the resources that a policy is part of. */

import type { Condition } from "./policy-status.ts";

/** Of the newest version of one resource. */
export interface ResourceAck {
  readonly subscribers: number;
  readonly acked: number;
  /** Who could not apply it, and why: `shop/web-1: no such field`. */
  readonly nacked: readonly string[];
}

/** No more are named: the rest is counted. */
const maxNamed = 10;

export function describeProgrammed(acks: readonly ResourceAck[]): Condition {
  const type = "Programmed";
  const subscribers = sum(acks.map((ack) => ack.subscribers));
  const acked = sum(acks.map((ack) => ack.acked));
  const nacked = acks.flatMap((ack) => ack.nacked);
  const count = `${acked}/${subscribers}`;
  if (subscribers === 0) return { type, status: "True", reason: "NoSubscribers", message: count };
  if (nacked.length > 0) {
    const named = nacked.slice(0, maxNamed).join("; ");
    const others = nacked.length > maxNamed ? `; and ${nacked.length - maxNamed} more` : "";
    return { type, status: "False", reason: "Refused", message: `${count}; ${named}${others}` };
  }
  if (acked < subscribers) return { type, status: "False", reason: "Pending", message: count };
  return { type, status: "True", reason: "Programmed", message: count };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
