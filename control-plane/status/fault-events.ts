/**
 * What a user must see once is reported as an Event of `events.k8s.io/v1`, so that `kubectl describe` shows it: a policy
 * that is refused, conflicts or leads nowhere, a push that sidecars could not apply, a pod without its sidecar. Pure.
 *
 * An Event's name is derived from its content, so the API server refuses the same one as existing, whichever replica sends it
 * and after any restart. A new generation of the object is reported again.
 */

import { createHash } from "node:crypto";
import type { Condition } from "./condition.ts";
import { controllerName } from "./route-status.ts";
import type { StatusTarget } from "./status-target.ts";

export interface EventSource {
  /** The replica that reports it. */
  readonly instance: string;
  /** RFC 3339 with microseconds. */
  readonly now: string;
}

/** The API server's limit for a note, in characters; below, for a name, whose parts must not end with a dash. */
const maxNoteLength = 1_024;
const maxNameLength = 253;

/** Events of `events.k8s.io/v1` about the object of `target`, which has this uid. */
export function faultEvents(target: StatusTarget, uid: string, source: EventSource): object[] {
  const { apiVersion, kind, namespace, name, generation } = target;
  return faultsOf(target.conditions).map(({ type, reason, message }) => {
    const fault = { distinguishedBy: [uid, generation, type], reason, action: actionOf(type), note: message };
    return faultEvent({ apiVersion, kind, namespace, name, uid }, fault, source);
  });
}

interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

interface Fault {
  /** Together with the reason, distinguishes this Event from others about the object. */
  readonly distinguishedBy: readonly unknown[];
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

/** One warning of `events.k8s.io/v1`. */
export function faultEvent(
  regarding: ObjectReference,
  { distinguishedBy, reason, action, note }: Fault,
  { instance, now }: EventSource,
): object {
  const { namespace, name } = regarding;
  const hash = createHash("sha256")
    .update([...distinguishedBy, reason].join(" "))
    .digest("hex")
    .slice(0, 16);
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { namespace, name: `${name.slice(0, maxNameLength - hash.length - 1).replace(/[.-]+$/, "")}.${hash}` },
    eventTime: now,
    type: "Warning",
    reason,
    action,
    note: note.length > maxNoteLength ? `${note.slice(0, maxNoteLength - 1)}…` : note,
    reportingController: controllerName,
    reportingInstance: instance,
    regarding,
  };
}

/** What the author has to fix. Sidecars that have not answered yet are not part of it, nor are consequences of another fault. */
function faultsOf(conditions: readonly Condition[]): readonly Condition[] {
  const faults = conditions.filter(({ type, status, reason }) => {
    if (type === "PartiallyInvalid") return status === "True";
    return status === "False" && (type !== "Programmed" || reason === "Refused" || reason === "NotRedirected");
  });
  return [...new Map(faults.map((fault) => [`${fault.type} ${fault.reason}`, fault])).values()];
}

function actionOf(type: Condition["type"]): string {
  switch (type) {
    case "Accepted":
    case "PartiallyInvalid":
      return "Accept";
    case "ResolvedRefs":
      return "Resolve";
    case "Programmed":
      return "Program";
  }
}
