import { expect, it } from "vitest";
import { controlPlane } from "../../../cli/check/control-plane.ts";
import type { Asked } from "../../../cli/check/finding.ts";
import type { Fields } from "../../../cli/cluster/fields.ts";
import { version } from "../../../system/version.ts";

const deployment = (ready: number, more: Fields = {}): Fields => ({
  spec: { replicas: 1, template: { spec: { containers: [{ image: "tulle/control-plane:1" }] } } },
  status: { readyReplicas: ready, ...more },
});

const pod = (name: string, state: Fields): Fields => ({
  metadata: { name, namespace: "tulle-system" },
  status: { containerStatuses: [{ image: "tulle/control-plane:2", state }] },
});

async function check(body: Fields, pods: readonly Fields[] = []): Promise<string[]> {
  const cluster = {
    meshNamespace: "tulle-system",
    request: () => Promise.resolve({ status: 200, body }),
    list: () => Promise.resolve(pods),
  };
  const found = await controlPlane.run({ cluster, view: () => Promise.resolve({ version }) } as unknown as Asked);
  return found.map(({ verdict, says }) => `${verdict}: ${says}`);
}

const well = ["ok: 1 of 1 replica ready", `ok: version ${version}`];

it("says nothing of pods that run, or are on their way", async () => {
  const pods = [pod("a", { running: {} }), pod("b", { waiting: { reason: "ContainerCreating" } })];
  expect(await check(deployment(1), pods)).toEqual(well);
});

it("names a pod of an upgrade that can't start, though the former one serves on", async () => {
  const pods = [pod("a", { running: {} }), pod("b", { waiting: { reason: "ImagePullBackOff" } })];
  expect(await check(deployment(1), pods)).toEqual([
    well[0],
    "warn: b does not start: ImagePullBackOff (tulle/control-plane:2)",
    well[1],
  ]);
});

it("says why no pod can be made", async () => {
  const conditions = [{ type: "ReplicaFailure", status: "True", message: "exceeded quota" }];
  expect(await check(deployment(0, { conditions }))).toEqual([
    "fail: no replica of 1 is ready (tulle/control-plane:1)",
    "warn: no pod can be made: exceeded quota",
  ]);
});
