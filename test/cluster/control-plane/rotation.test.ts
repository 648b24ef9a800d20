/**
 * The mesh's root is replaced in a cluster: requested as a person would, by two replicas that stop and come back at each step,
 * with workloads that follow and one that does not.
 */

import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import type { CertificatesView } from "../../../control-plane/identity/certificates-view.ts";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { ControlStream } from "../../../sidecar/discovery/control-stream.ts";
import { type RenewableIdentity, startIdentity } from "../../../sidecar/identity/identity-client.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { ControlPlaneProcess } from "./control-plane-process.ts";
import { expectDone, nested, TestNamespace } from "./objects.ts";
import { subscribe } from "./subscriber.ts";
import { requestToken } from "./workload.ts";

const hosts = ["127.46.0.1", "127.46.0.2"] as const;
const caPath = "/api/v1/namespaces/tulle-system/secrets/tulle-ca";
const controlPlaneIdentity = "spiffe://cluster.local/ns/tulle-system/sa/tulle-control-plane";

let api: ClusterApi;
let shop: TestNamespace;
let folder: string;
const replicas = new Map<string, ControlPlaneProcess>();
const ended = new AbortController();

function start(host: string): ControlPlaneProcess {
  const others = hosts.flatMap((other) => ["--replicas", `${other}:15010`]);
  const ports = ["--discovery-port", "15010", "--identity-port", "15012", "--dashboard-port", "8080"];
  const own = ["--listen-address", host, "--rotation-pause", "1s"];
  const replica = new ControlPlaneProcess(inject("kubeconfig"), ...own, ...ports, ...others);
  replicas.set(host, replica);
  return replica;
}

const isUp = (): boolean => [...replicas.values()].every(({ ports }) => ports !== undefined);

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  await api.request({ method: "DELETE", path: caPath });
  folder = await mkdtemp(join(tmpdir(), "tulle-rotation-"));
  // It ends for as long as its pod does, for which there is no kubelet: nothing can be written into it meanwhile.
  const ending = await TestNamespace.create(api, "ending", { "tulle.dev/inject": "enabled" });
  await ending.pod("orders-1", "orders", { ip: "127.0.0.1" });
  await ending.remove();
  for (const host of hosts) start(host);
  shop = await TestNamespace.create(api, "shop", { "tulle.dev/inject": "enabled" });
  await eventually(isUp, 60_000);
});
afterAll(async () => {
  ended.abort();
  await Promise.all(Array.from(replicas.values(), (replica) => replica.stop()));
  await rm(folder, { recursive: true, force: true });
  api.close();
});

async function certificates(host: string = hosts[0]): Promise<CertificatesView> {
  return (await (await fetch(`http://${host}:8080/api/certs`)).json()) as CertificatesView;
}

async function bundle(): Promise<string> {
  return String(nested((await shop.read("v1", "configmaps/tulle-trust-bundle")).body, "data", "trust-bundle.pem"));
}

async function workload(name: string): Promise<string> {
  await shop.serviceAccount(name);
  await shop.pod(`${name}-1`, name, { ip: "127.0.0.1" });
  return requestToken(api, { namespace: shop, serviceAccount: name, pod: `${name}-1` });
}

/** A sidecar as far as identity and push are concerned; the test plays kubelet for its files. */
async function sidecar(name: string): Promise<RenewableIdentity> {
  const [tokenFile, trustBundleFile] = [join(folder, `${name}.token`), join(folder, `${name}.pem`)];
  await writeFile(tokenFile, await workload(name));
  await writeFile(trustBundleFile, await bundle());
  const mount = setInterval(() => void bundle().then((pem) => writeFile(trustBundleFile, pem)), 200).unref();
  ended.signal.addEventListener("abort", () => clearInterval(mount), { once: true });
  const clock = performance;
  const shared = { controlPlaneIdentity, clock, wheel: new TimerWheel(clock), random: Math.random };
  const log = new RecordedLog().write;
  const identity = await startIdentity(
    {
      ...shared,
      log,
      spiffeId: `spiffe://cluster.local/ns/${shop.name}/sa/${name}`,
      addresses: hosts.map((host) => `${host}:15012`),
      tokenFile,
      trustBundleFile,
      wallClock: Date.now,
      trustBundleCheckMs: 100,
    },
    ended.signal,
  );
  const stream = new ControlStream({
    ...shared,
    log,
    identity,
    endpoints: hosts.map((host) => `${host}:15010`),
    node: { namespace: shop.name, workload: name, pod: `${name}-1`, proxyVersion: "0.1.0" },
    onRenew: (withinMs) => identity.renew(withinMs),
  });
  await stream.start(ended.signal);
  return identity;
}

/** The address of the one that writes; undefined: none does yet. */
async function leaderHost(): Promise<string | undefined> {
  const { body } = await api.request({
    path: "/apis/coordination.k8s.io/v1/namespaces/tulle-system/leases/tulle-status-writer",
  });
  const holder = nested(body, "spec", "holderIdentity");
  const leads = (replica: ControlPlaneProcess) => replica.said("leading").some(({ identity }) => identity === holder);
  return [...replicas].find(([, replica]) => leads(replica))?.[0];
}

/** Ends the one that writes, and starts it again under its address. */
async function restartLeader(): Promise<void> {
  const host = await leaderHost();
  if (host === undefined) throw new Error("nobody leads");
  await replicas.get(host)?.stop();
  start(host);
  await eventually(isUp, 30_000);
}

/** As `tulle certs rotate-root` does. */
async function askToReplace(root: string): Promise<void> {
  const body = { metadata: { annotations: { "tulle.dev/rotate-root": root } } };
  const contentType = "application/merge-patch+json";
  expectDone(await api.request({ method: "PATCH", path: caPath, contentType, body }));
}

it("replaces the root over restarts of the leader, and waits for those that have not followed", {
  timeout: 120_000,
}, async () => {
  const identities = [await sidecar("orders"), await sidecar("payments")];
  const before = (await certificates()).signer.id;
  const formerPem = await bundle();
  const serials = identities.map((identity) => identity.current().serial);
  // Where it stays connected when who leads is restarted: it does not come back by itself.
  await eventually(async () => (await leaderHost()) !== undefined, 30_000);
  const leader = await leaderHost();
  const leaving = await subscribe({
    host: hosts.find((host) => host !== leader) ?? hosts[1],
    ports: { discovery: 15_010, identity: 15_012 },
    trustBundlePem: formerPem,
    token: await workload("stubborn"),
    namespace: shop.name,
    pod: "stubborn-1",
    destination: "orders.shop.svc.cluster.local:80",
    refusal: () => undefined,
  });
  // Each replica knows of all.
  await eventually(async () => (await certificates(hosts[0])).sidecars.length === 3, 15_000);
  await eventually(async () => (await certificates(hosts[1])).sidecars.length === 3, 15_000);

  await askToReplace(before);
  await eventually(async () => (await certificates()).rotation.phase === "spreading", 30_000);
  await restartLeader();
  const waiting = async (host: string) => (await certificates(host)).rotation.lacks.map(({ who }) => who);
  for (const host of hosts)
    await expect.poll(() => waiting(host), { timeout: 20_000 }).toEqual([`${shop.name}/stubborn-1`]);
  expect(await bundle()).toContain(formerPem.trim());
  expect((await certificates()).signer.id).toBe(before);
  leaving();

  await eventually(async () => (await certificates()).rotation.phase !== "spreading", 40_000);
  await restartLeader();
  await eventually(async () => (await certificates()).rotation.phase === "settled", 60_000);
  const after = await certificates();
  expect(after.roots.map(({ id, role }) => [id, role])).toEqual([[after.signer.id, "signs"]]);
  expect(after.signer.id).not.toBe(before);
  await expect.poll(bundle).not.toContain(formerPem.trim());
  const root = new X509Certificate(await bundle());
  for (const [index, identity] of identities.entries()) {
    expect(identity.current().serial).not.toBe(serials[index]);
    expect(new X509Certificate(identity.current().certificateChainPem).verify(root.publicKey)).toBe(true);
  }
  const { body } = await api.request({ path: caPath });
  expect(Object.keys(nested(body, "data") as object).sort()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
});

it("does nothing for a root that has gone already", async () => {
  const { signer } = await certificates();
  await askToReplace("00".repeat(32));
  const annotation = async () =>
    nested((await api.request({ path: caPath })).body, "metadata", "annotations", "tulle.dev/rotate-root");
  await expect.poll(annotation).toBeUndefined();
  expect((await certificates()).signer.id).toBe(signer.id);
});
