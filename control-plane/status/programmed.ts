/** Sums up what sidecars say about the resources that a policy is part of. */

import type { ResourceName, ResourcesWith } from "../compile/compiler.ts";
import type { Condition } from "./condition.ts";

/** The sidecars' answers about the newest version of one resource; push counts them. */
export interface ResourceAck {
  readonly subscribers: number;
  readonly acked: number;
  /** Sidecars that could not apply it, and why. */
  readonly nacks: readonly { readonly pod: string; readonly reason: string }[];
  /** Sidecars that have not answered yet; the list may be incomplete. */
  readonly laggards: readonly string[];
}

/** At most this many are named; the rest are counted. */
const maxNamed = 10;

export interface Content {
  /** The object's generation when it was last valid; undefined in a folder, which has none. It can change without a push. */
  readonly version?: number | undefined;
  /** Pods that can't do what it requires, whatever their sidecars confirm. */
  readonly exposed?: readonly string[] | undefined;
}

export function describeProgrammed(acks: readonly ResourceAck[], { version, exposed = [] }: Content = {}): Condition {
  const type = "Programmed";
  const subscribers = sum(acks.map((ack) => ack.subscribers));
  const acked = sum(acks.map((ack) => ack.acked));
  const atVersion = version === undefined ? "" : ` at version ${version}`;
  const count = subscribers === 0 ? "0/0" : `${acked}/${subscribers} sidecars${atVersion}`;
  const reason = worst(acks.map(standingOf));
  if (exposed.length > 0 && reason !== "Refused") {
    const message = `${count}; plaintext still reaches ${listed(exposed)}: nothing is redirected to their sidecars`;
    return { type, status: "False", reason: "NotRedirected", message };
  }
  if (subscribers === 0) return { type, status: "True", reason: "NoSubscribers", message: count };
  switch (reason) {
    case "Refused": {
      const nacks = acks.flatMap((ack) => ack.nacks.map(({ pod, reason: why }) => `${pod}: ${why}`));
      return { type, status: "False", reason, message: `${count}; ${listed(nacks)}` };
    }
    case "Pending": {
      const laggards = [...new Set(acks.flatMap((ack) => ack.laggards))];
      const waiting = laggards.length === 0 ? "" : `; waiting for ${listed(laggards)}`;
      return { type, status: "False", reason, message: `${count}${waiting}` };
    }
    case "Programmed":
      return { type, status: "True", reason, message: count };
  }
}

/**
 * The same while sidecars may still be on their way to a replica: "all that are connected have it" then proves nothing. A
 * condition that is already written for this generation stays: see `written-status.ts`.
 */
export function whileReturning(condition: Condition): Condition {
  const { type, status, message } = condition;
  if (type !== "Programmed" || status !== "True") return condition;
  const why = "sidecars are still connecting to the control plane";
  return { type, status: "Unknown", reason: "Pending", message: `${message}; ${why}` };
}

/** The number of policies and routes that are not in force at every sidecar that holds them, by the reason in their condition. */
export interface NotProgrammed {
  readonly Refused: number;
  readonly Pending: number;
  readonly NotRedirected: number;
}

/** Counts the same standing over many policies and routes. Asks about each resource once, however many policies it carries. */
export function countNotProgrammed(
  policies: Iterable<string>,
  resourcesWith: ResourcesWith,
  acknowledgements: (resource: ResourceName) => ResourceAck | undefined,
  exposed: ReadonlyMap<string, readonly string[]>,
): NotProgrammed {
  const known = new Map<string, Standing>();
  const standing = (resource: ResourceName): Standing => {
    const key = `${resource.kind} ${resource.name}`;
    const stands = known.get(key) ?? standingOf(acknowledgements(resource));
    known.set(key, stands);
    return stands;
  };
  const counts = { Refused: 0, Pending: 0, NotRedirected: 0, Programmed: 0 };
  for (const policy of policies) {
    const stands = worst(resourcesWith(policy).map(standing));
    counts[stands !== "Refused" && exposed.has(policy) ? "NotRedirected" : stands]++;
  }
  const { Refused, Pending, NotRedirected } = counts;
  return { Refused, Pending, NotRedirected };
}

type Standing = "Refused" | "Pending" | "Programmed";

function standingOf(ack: ResourceAck | undefined): Standing {
  if (ack === undefined) return "Programmed";
  if (ack.nacks.length > 0) return "Refused";
  return ack.acked < ack.subscribers ? "Pending" : "Programmed";
}

function worst(standings: readonly Standing[]): Standing {
  if (standings.includes("Refused")) return "Refused";
  return standings.includes("Pending") ? "Pending" : "Programmed";
}

function listed(items: readonly string[]): string {
  const others = items.length > maxNamed ? ` and ${items.length - maxNamed} more` : "";
  return `${items.slice(0, maxNamed).join(", ")}${others}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
