/** Which sidecars have what: the figures behind a policy's `Programmed` condition, as plain data. */

import type { ResourceKind } from "../../model/resources.ts";
import type { Subscription } from "./subscriber.ts";

export interface ResourceAcks {
  readonly kind: ResourceKind;
  readonly name: string;
  /** The version that all should have, or one that stands for all that they should have; absent: there is no such resource. */
  readonly version?: string;
  readonly subscribers: number;
  /** Subscribers that have this version in force. */
  readonly acked: number;
  /** Subscribers that refused this version and keep their previous one. */
  readonly nacks: readonly { readonly pod: string; readonly reason: string }[];
  /** Pods that have answered neither way yet; at most `listedLaggards` of them. */
  readonly laggards: readonly string[];
}

const listedLaggards = 10;

/** How a subscription stands in relation to the published version. */
function standing(subscription: Subscription, version: string | undefined): "acked" | "nacked" | "waiting" {
  if (version === undefined || subscription.ackedVersion === version) return "acked";
  return subscription.nack?.version === version ? "nacked" : "waiting";
}

/** One sidecar, and how it stands in relation to a resource. */
export interface Holder {
  /** `namespace/name`. */
  readonly pod: string;
  readonly standing: "acked" | "nacked" | "waiting";
  /** Why the sidecar refused. */
  readonly reason?: string;
}

export function standingOf(subscription: Subscription, version: string | undefined): Omit<Holder, "pod"> | undefined {
  if (subscription.sent.kind === "refused") return undefined;
  const state = standing(subscription, version);
  return state === "nacked" ? { standing: state, reason: subscription.nack?.reason ?? "" } : { standing: state };
}

export function countAcks(
  kind: ResourceKind,
  name: string,
  version: string | undefined,
  subscriptions: Iterable<{
    readonly pod: string;
    readonly subscription: Subscription;
    /** The version that this one should have: a pod may have its own variant of an Inbound. */
    readonly version: string | undefined;
  }>,
): ResourceAcks {
  let subscribers = 0;
  let acked = 0;
  const nacks: { pod: string; reason: string }[] = [];
  const laggards: string[] = [];
  for (const { pod, subscription, version: wanted } of subscriptions) {
    // A sidecar that may not have it does not count.
    if (subscription.sent.kind === "refused") continue;
    subscribers++;
    switch (standing(subscription, wanted)) {
      case "acked":
        acked++;
        break;
      case "nacked":
        nacks.push({ pod, reason: subscription.nack?.reason ?? "" });
        break;
      case "waiting":
        if (laggards.length < listedLaggards) laggards.push(pod);
        break;
    }
  }
  return { kind, name, ...(version !== undefined && { version }), subscribers, acked, nacks, laggards };
}
