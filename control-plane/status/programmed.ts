/** Sums up what sidecars say about the resources that a policy is part of. */

import type { Condition } from "./condition.ts";

/** Of the newest version of one resource; push counts it. */
export interface ResourceAck {
  readonly subscribers: number;
  readonly acked: number;
  /** Who could not apply it, and why. */
  readonly nacks: readonly { readonly pod: string; readonly reason: string }[];
  /** Who has not answered yet; possibly not all of them. */
  readonly laggards: readonly string[];
}

/** No more are named: the rest is counted. */
const maxNamed = 10;

export function describeProgrammed(acks: readonly ResourceAck[]): Condition {
  const type = "Programmed";
  const subscribers = sum(acks.map((ack) => ack.subscribers));
  const acked = sum(acks.map((ack) => ack.acked));
  const nacks = acks.flatMap((ack) => ack.nacks.map(({ pod, reason }) => `${pod}: ${reason}`));
  const laggards = [...new Set(acks.flatMap((ack) => ack.laggards))];
  const count = `${acked}/${subscribers}`;
  if (subscribers === 0) return { type, status: "True", reason: "NoSubscribers", message: count };
  if (nacks.length > 0) return { type, status: "False", reason: "Refused", message: `${count}; ${listed(nacks)}` };
  if (acked < subscribers) {
    const waiting = laggards.length === 0 ? "" : `; waiting for ${listed(laggards)}`;
    return { type, status: "False", reason: "Pending", message: `${count}${waiting}` };
  }
  return { type, status: "True", reason: "Programmed", message: count };
}

function listed(items: readonly string[]): string {
  const others = items.length > maxNamed ? ` and ${items.length - maxNamed} more` : "";
  return `${items.slice(0, maxNamed).join(", ")}${others}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
