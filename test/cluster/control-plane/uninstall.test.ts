/** What the hooks around `helm uninstall` do, and the Events about pods without a sidecar. */

import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { meshNamespace } from "../../../control-plane/index/facts.ts";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { SidecarEvents } from "../../../control-plane/status/sidecar-events.ts";
import { runUninstall } from "../../../control-plane/uninstall/command.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { kubectlIn } from "../kubectl.ts";
import { expectDone, nested, TestNamespace } from "./objects.ts";

const signer = `/api/v1/namespaces/${meshNamespace}/secrets/tulle-ca`;

let api: ClusterApi;
let shop: TestNamespace;

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  shop = await TestNamespace.create(api, "uninstall");
  await shop.pod("orders-1", "orders", { ip: "10.7.0.1" });
  await shop.pod("orders-2", "orders", { ip: "10.7.0.2" });
  await shop.pod("plain-1", "plain", { ip: "10.7.0.3", meshed: false });
});
afterAll(async () => {
  await shop.remove();
  api.close();
});

async function uninstall(...args: string[]): Promise<{ code: number; said: string }> {
  let said = "";
  const write = (text: string): void => void (said += text);
  return { code: await runUninstall([...args, "--kubeconfig", inject("kubeconfig")], write), said };
}

async function exists(path: string): Promise<boolean> {
  return (await api.request({ path })).status === 200;
}

it("is refused while pods have a sidecar, names them, and says what to do", async () => {
  const { code, said } = await uninstall("check");
  expect(code).toBe(1);
  expect(said).toContain(`  ${shop.name}/orders-1\n  ${shop.name}/orders-2\n`);
  expect(said).not.toContain("plain-1");
  expect(said).toContain("tulle.dev/inject-");
  expect(said).toContain("helm rollback");
});

it("goes on by force, and names them all the same", async () => {
  const { code, said } = await uninstall("check", "--force");
  expect(code).toBe(0);
  expect(said).toContain(`${shop.name}/orders-1`);
});

it("takes no pod that has ended into account", async () => {
  const statuses = ["orders-1", "orders-2"].map((name) => `pods/${name}/status`);
  for (const path of statuses) await shop.patch("v1", path, { status: { phase: "Succeeded" } });
  expect((await uninstall("check", "--force")).said).not.toContain(`${shop.name}/`);
});

it("removes afterwards what the control plane made itself", async () => {
  const bundle = { metadata: { name: "tulle-trust-bundle" } };
  await shop.create("v1", "configmaps", bundle);
  await shop.create("v1", "configmaps", { metadata: { name: "settings" } });
  await api.request({ method: "DELETE", path: signer });
  const labels = { "app.kubernetes.io/part-of": "tulle" };
  const secret = { metadata: { name: "tulle-ca", labels } };
  expectDone(await api.request({ method: "POST", path: signer.replace(/\/[^/]+$/, ""), body: secret }));
  const { code, said } = await uninstall("clean");
  expect({ code, said }).toMatchObject({ code: 0 });
  expect(said).toContain(`removed ConfigMap ${shop.name}/tulle-trust-bundle`);
  const base = `/api/v1/namespaces/${shop.name}/configmaps`;
  expect(await Promise.all([signer, `${base}/tulle-trust-bundle`, `${base}/settings`].map(exists))).toEqual([
    false,
    false,
    true,
  ]);
  expect((await uninstall("clean")).code).toBe(0);
});

it("leaves a signer that somebody else put there", async () => {
  const secret = { metadata: { name: "tulle-ca" } };
  expectDone(await api.request({ method: "POST", path: signer.replace(/\/[^/]+$/, ""), body: secret }));
  expect((await uninstall("clean")).code).toBe(0);
  expect(await exists(signer)).toBe(true);
  expectDone(await api.request({ method: "DELETE", path: signer }));
});

it("tells of a pod without a sidecar by an Event on it, once, whichever replica does", async () => {
  const uid = String(nested((await shop.read("v1", "pods/plain-1")).body, "metadata", "uid"));
  const log = new RecordedLog();
  for (const instance of ["one", "two"]) {
    const pods = () => [{ namespace: shop.name, name: "plain-1", uid }];
    const events = new SidecarEvents({
      api,
      pods,
      leads: () => true,
      instance,
      wallClock: () => Date.now(),
      log: log.write,
    });
    for (let i = 0; i < 3; i++) await events.round();
  }
  expect(log.messages).toEqual([]);
  const { out } = await kubectlIn(inject("kubeconfig"), shop.name)("describe pod plain-1");
  expect(out.match(/Warning\s+NoSidecar/g)).toHaveLength(1);
});
