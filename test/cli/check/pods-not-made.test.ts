import { expect, it } from "vitest";
import type { Asked } from "../../../cli/check/finding.ts";
import { podsNotMade } from "../../../cli/check/pods-not-made.ts";
import type { Fields } from "../../../cli/cluster/fields.ts";

const denied =
  'Error creating: admission webhook "namespace.inject.tulle.dev" denied the request: spec.hostNetwork: must be false';
const unanswered = 'Error creating: failed calling webhook "pod.inject.tulle.dev": connection refused';

const event = (kind: string, name: string, message = denied): Fields => ({
  message,
  involvedObject: { apiVersion: kind === "Job" ? "batch/v1" : "apps/v1", kind, namespace: "shop", name },
});

/** `owners`: by their path; any other is gone. */
async function check(events: readonly Fields[], owners: Readonly<Record<string, Fields | number>> = {}) {
  const cluster = {
    list: () => Promise.resolve(events),
    request({ path }: { path: string }) {
      const owner = owners[path] ?? 404;
      return Promise.resolve(typeof owner === "number" ? { status: owner, body: {} } : { status: 200, body: owner });
    },
  };
  const found = await podsNotMade.run({ cluster } as unknown as Asked);
  return found.map(({ verdict, says }) => `${verdict}: ${says}`);
}

const path = (plural: string, group = "apps") => `/apis/${group}/v1/namespaces/shop/${plural}/web`;
const refusal = "gets no pods: spec.hostNetwork: must be false";

it.each([
  [
    "ReplicaSet",
    path("replicasets"),
    { spec: { replicas: 2 }, status: { replicas: 1 } },
    { spec: {}, status: { replicas: 1 } },
  ],
  ["StatefulSet", path("statefulsets"), { spec: {}, status: {} }, { spec: { replicas: 0 }, status: {} }],
  [
    "DaemonSet",
    path("daemonsets"),
    { status: { desiredNumberScheduled: 3, currentNumberScheduled: 2 } },
    { status: { desiredNumberScheduled: 3, currentNumberScheduled: 3 } },
  ],
  ["Job", path("jobs", "batch"), { status: {} }, { status: { active: 1 } }],
  ["Job", path("jobs", "batch"), { spec: { suspend: false }, status: {} }, { spec: { suspend: true }, status: {} }],
  ["Job", path("jobs", "batch"), { status: {} }, { status: { completionTime: "2026-06-01T12:00:00Z" } }],
  ["Job", path("jobs", "batch"), { status: {} }, { status: { conditions: [{ type: "Failed", status: "True" }] } }],
])("names a %s while it lacks pods", async (kind, at, lacking, content) => {
  expect(await check([event(kind, "web")], { [at]: lacking })).toEqual([`fail: ${kind} shop/web ${refusal}`]);
  expect(await check([event(kind, "web")], { [at]: content })).toEqual([]);
  expect(await check([event(kind, "web")])).toEqual([]);
});

it("names workloads that may not be read, each once, with the last message", async () => {
  const events = [event("ReplicaSet", "web"), event("ReplicaSet", "web", unanswered)];
  expect(await check(events, { [path("replicasets")]: 403 })).toEqual([
    `fail: ReplicaSet shop/web gets no pods: ${unanswered}`,
  ]);
});

it("ignores pods that other webhooks refuse", async () => {
  const quota = event("ReplicaSet", "web", "Error creating: pods is forbidden: exceeded quota");
  expect(await check([quota], { [path("replicasets")]: {} })).toEqual([]);
});

it("counts those that it did not look at", async () => {
  const events = Array.from({ length: 23 }, (_, i) => event("ReplicaSet", `gone-${i}`));
  expect(await check(events)).toEqual(["warn: not looked at: 3 more that got no pods within the last hour"]);
});
