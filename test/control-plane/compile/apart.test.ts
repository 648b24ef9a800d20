import { expect, it } from "vitest";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { PushHub } from "../../../control-plane/push/push-hub.ts";
import { decodeName, decodeUpdate } from "../../../proto/decode.ts";
import { MessageReader } from "../../../proto/message-reader.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { changeOf } from "../../support/manifests.ts";

const idOf = (account: string) => `spiffe://cluster.local/ns/shop/sa/${account}`;

/** One of the workload `web`, as a cluster has it. */
function pod(name: string, labels: string, { day = 1, account = "web" } = {}): string {
  return `
apiVersion: v1
kind: Pod
metadata:
  namespace: shop
  name: ${name}
  uid: ${name}
  creationTimestamp: "2026-01-0${day}T00:00:00Z"
  labels: {${labels}}
  annotations: {tulle.dev/proxy-version: "0.1.0", tulle.dev/workload: web}
spec: {serviceAccountName: ${account}, containers: [{name: app, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.0.0.1}
---`;
}

const strict = `
apiVersion: tulle.dev/v1alpha1
kind: AccessPolicy
metadata: {namespace: shop, name: strict}
spec: {selector: {matchLabels: {app: db}}, mtls: strict}
---`;

function open(yaml: string): Pipeline {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  pipeline.apply(changeOf(yaml));
  return pipeline;
}

function mtlsOf({ snapshot }: Pipeline, name?: string): unknown {
  const resource = snapshot.get("inbound", "shop/web", name)?.resource;
  return resource?.kind === "inbound" ? resource.value.ports[0]?.mtls : "none";
}

it("applies a policy to the pods that it selects, even if newer pods of another kind have the same workload name", () => {
  const pipeline = open(
    pod("web-0", "app: db") + pod("web-7d9f-x", "app: front", { day: 2, account: "front" }) + strict,
  );
  expect([mtlsOf(pipeline, "web-0"), mtlsOf(pipeline, "web-7d9f-x")]).toEqual(["strict", undefined]);
  const { snapshot } = pipeline;
  expect(["web-0", "web-7d9f-x"].map((name) => snapshot.workloadIdentity("shop/web", name))).toEqual(
    ["web", "front"].map(idOf),
  );
  expect(pipeline.resourcesWith("AccessPolicy shop/strict")).toEqual([{ kind: "inbound", name: "shop/web" }]);
});

it("follows the labels of one pod, as when another becomes the primary", () => {
  const pipeline = open(pod("web-0", "app: db") + pod("web-1", "app: spare", { day: 2 }) + strict);
  const heard: string[] = [];
  pipeline.snapshot.watch((kind, name) => heard.push(`${kind} ${name}`));
  const before = pipeline.snapshot.versionOf("inbound", "shop/web");
  pipeline.apply(changeOf(pod("web-0", "app: spare")));
  expect([mtlsOf(pipeline, "web-0"), mtlsOf(pipeline, "web-1")]).toEqual([undefined, undefined]);
  expect(pipeline.snapshot.versionOf("inbound", "shop/web")).not.toBe(before);
  pipeline.apply(changeOf(pod("web-1", "app: db", { day: 2 })));
  expect([mtlsOf(pipeline, "web-0"), mtlsOf(pipeline, "web-1")]).toEqual([undefined, "strict"]);
  expect(heard).toEqual(["inbound shop/web", "inbound shop/web"]);
});

it("changes its version for other replicas when a policy moves from one pod to another", () => {
  const pods = [pod("web-0", "app: db"), pod("web-1", "app: front"), pod("web-2", "app: spare", { day: 2 })];
  const [pipeline, other] = [open(pods.join("") + strict), open(pods.toReversed().join("") + strict)];
  const versionAt = ({ snapshot }: Pipeline) => snapshot.versionOf("inbound", "shop/web");
  expect(versionAt(other)).toBe(versionAt(pipeline));
  pipeline.apply(changeOf(strict.replace("app: db", "app: front")));
  expect(["web-0", "web-1", "web-2"].map((name) => mtlsOf(pipeline, name))).toEqual([undefined, "strict", undefined]);
  // What the other counts as confirmed until it has heard of this is not what is asked for now.
  expect(versionAt(other)).not.toBe(versionAt(pipeline));
});

it("has one variant for all pods if labels make no difference, as before and after a rollout", () => {
  const pipeline = open(
    pod("old", "app: db, pod-template-hash: a") + pod("new", "app: db, pod-template-hash: b") + strict,
  );
  const { snapshot } = pipeline;
  expect(snapshot.get("inbound", "shop/web", "old")).toBe(snapshot.get("inbound", "shop/web"));
  expect(snapshot.get("inbound", "shop/web", "new")).toBe(snapshot.get("inbound", "shop/web"));
  expect(snapshot.versionOf("inbound", "shop/web")).toBe(snapshot.get("inbound", "shop/web")?.version);
});

it("compiles pods once if nothing selects by their labels, and separately if a Service or a policy does", () => {
  const numbered = (index: number) => pod(`web-${index}`, `app: db, index: '${index}'`);
  const service = (name: string, selector: string, port: number) =>
    `\n{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: ${name}}, spec: {selector: {${selector}}, ports: [{port: ${port}, targetPort: ${port}}]}}\n---\n`;
  const pipeline = open(numbered(0) + numbered(1) + numbered(2) + service("all", "app: db", 8080));
  const versions = () =>
    [0, 1, 2].map((index) => pipeline.snapshot.get("inbound", "shop/web", `web-${index}`)?.version);
  expect(new Set(versions()).size).toBe(1);
  pipeline.apply(changeOf(service("first", "index: '0'", 9090)));
  expect(versions()[1]).toBe(versions()[2]);
  expect(versions()[0]).not.toBe(versions()[1]);
  pipeline.apply(
    changeOf(
      strict.replace("app: db", "index: '1'").replace("spec: {", "spec: {targetRefs: [{kind: Service, name: all}], "),
    ),
  );
  expect(new Set(versions()).size).toBe(3);
  expect([0, 1, 2].map((index) => mtlsOf(pipeline, `web-${index}`))).toEqual([undefined, "strict", undefined]);
});

it("forgets a pod's variant with the pod, and everything with the last pod", () => {
  const pipeline = open(pod("web-0", "app: db") + pod("web-1", "app: front", { day: 2 }) + strict);
  pipeline.apply(changeOf("", ["Pod shop/web-0"]));
  expect(mtlsOf(pipeline, "web-0")).toBeUndefined();
  pipeline.apply(changeOf("", ["Pod shop/web-1"]));
  expect(mtlsOf(pipeline, "web-1")).toBe("none");
});

it("sends each sidecar its own pod's variant, counts it as in force, and sends changes that concern only that pod", async () => {
  const pipeline = open(pod("web-0", "app: db") + pod("front", "app: front", { day: 2, account: "front" }) + strict);
  const nothing = () => {};
  const events = { encoded: nothing, written: nothing, acked: nothing, nacked: nothing, refused: nothing };
  const hub = new PushHub({ snapshot: pipeline.snapshot, clock: new HandClock(), events, after: nothing });
  const heard: string[] = [];
  const join = (name: string, account: string) => {
    const peer = { identity: idOf(account), pod: name, namespace: "shop", workload: "web", proxyVersion: "0.1.0" };
    const subscriber = hub.join(peer, (bytes) => {
      const reader = new MessageReader(1_000_000, (message) => {
        const { resources, refused } = decodeUpdate(message);
        for (const { version } of resources) {
          heard.push(`${name} ${version}`);
          hub.ack(subscriber, "inbound shop/web", version);
        }
        for (const { resource } of refused) heard.push(`${name} refused ${decodeName(resource)?.name}`);
      });
      return reader.read(bytes) === undefined;
    });
    hub.subscribe(subscriber, "inbound", "shop/web", "");
    subscriber.flush();
  };
  const versionOf = (name: string) => pipeline.snapshot.get("inbound", "shop/web", name)?.version;
  join("web-0", "web");
  join("front", "front");
  // It is not front, whatever it says.
  join("front", "web");
  expect(heard.splice(0)).toEqual([
    `web-0 ${versionOf("web-0")}`,
    `front ${versionOf("front")}`,
    "front refused shop/web",
  ]);
  expect(versionOf("web-0")).not.toBe(versionOf("front"));
  expect(hub.acksOf("inbound", "shop/web")).toMatchObject({ subscribers: 2, acked: 2, laggards: [] });
  expect(hub.holders("inbound", "shop/web").map(({ standing }) => standing)).toEqual(["acked", "acked"]);
  pipeline.apply(changeOf(pod("web-0", "app: spare")));
  await Promise.resolve();
  expect(heard).toEqual([`web-0 ${versionOf("web-0")}`]);
  hub.close();
});
