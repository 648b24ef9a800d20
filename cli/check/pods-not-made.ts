/**
 * Workloads that get no pods because injection refuses them, or was unreachable. Such pods appear nowhere: their owner's
 * request failed, and only an Event says so. An Event lasts an hour, so each owner is checked for its present state.
 */

import { webhookSuffix } from "../../control-plane/injection/marks.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { at, type Fields, listAt, numberAt, textAt } from "../cluster/fields.ts";
import { type Check, type Finding, fail, warn } from "./finding.ts";
import { askedInVain } from "./webhooks.ts";

/** At most this many owners are checked. */
const maxAsked = 20;
const listEvents = "kubectl get events -A --field-selector reason=FailedCreate";

export const podsNotMade: Check = {
  name: "pods not made",
  async run({ cluster }) {
    const events = await cluster.list("/api/v1/events", { fieldSelector: "reason=FailedCreate" });
    const refused = events.filter((event) => textAt(event, "message")?.includes(webhookSuffix));
    // An owner that tried often has several Events: the last one counts.
    const owners = [...new Map(refused.map((event) => [nameOfOwner(event), event])).values()];
    const findings = await Promise.all(owners.slice(0, maxAsked).map((event) => findingOf(cluster, event)));
    const more = owners.length - maxAsked;
    return [
      ...findings.flatMap((finding) => finding ?? []),
      ...(more > 0 ? [warn(`not looked at: ${more} more that got no pods within the last hour`, listEvents)] : []),
    ];
  },
};

async function findingOf(cluster: Cluster, event: Fields): Promise<Finding | undefined> {
  const { status, body } = await cluster.request({ path: pathOfOwner(event) });
  const isGone = status === 404;
  if (isGone || (status === 200 && !lacksPods(textAt(event, "involvedObject", "kind") ?? "", body))) return undefined;
  const message = textAt(event, "message") ?? "";
  const refusal = /denied the request: (.*)$/s.exec(message)?.[1];
  return refusal === undefined
    ? fail(`${nameOfOwner(event)} gets no pods: ${message}`, askedInVain)
    : fail(
        `${nameOfOwner(event)} gets no pods: ${refusal}`,
        "change its pod template; it tries again before long by itself",
      );
}

function nameOfOwner({ involvedObject }: Fields): string {
  return `${textAt(involvedObject, "kind")} ${textAt(involvedObject, "namespace")}/${textAt(involvedObject, "name")}`;
}

function pathOfOwner({ involvedObject }: Fields): string {
  const [namespace, name] = [textAt(involvedObject, "namespace"), textAt(involvedObject, "name")];
  const kinds = `${textAt(involvedObject, "kind")?.toLowerCase()}s`;
  const version = textAt(involvedObject, "apiVersion") ?? "v1";
  return `${version.includes("/") ? "/apis" : "/api"}/${version}/namespaces/${namespace}/${kinds}/${name}`;
}

/** Whether it still has fewer pods than it should. */
function lacksPods(kind: string, owner: unknown): boolean {
  const count = (...path: string[]) => numberAt(owner, ...path);
  switch (kind) {
    case "DaemonSet":
      return (count("status", "desiredNumberScheduled") ?? 0) > (count("status", "currentNumberScheduled") ?? 0);
    case "Job":
      return (
        at(owner, "spec", "suspend") !== true &&
        (count("status", "active") ?? 0) === 0 &&
        at(owner, "status", "completionTime") === undefined &&
        !hasFailed(owner)
      );
    default:
      return (count("spec", "replicas") ?? 1) > (count("status", "replicas") ?? 0);
  }
}

function hasFailed(job: unknown): boolean {
  return listAt(job, "status", "conditions").some(({ type, status }) => type === "Failed" && status === "True");
}
