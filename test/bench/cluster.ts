/**
 * A control plane as users run it, on a real API server: etcd and kube-apiserver from `test/cluster/tools`, the control plane
 * from its bundle. Sidecars can connect with the certificate of a workload that exists only as an object.
 */

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { controlPlaneNodeFlags } from "../../cli/dev/mesh-processes.ts";
import { meshNamespace } from "../../control-plane/index/facts.ts";
import type { ClusterApi } from "../../control-plane/kubernetes/cluster-api.ts";
import { ensureBundles } from "../../deploy/build.ts";
import { buildCertificateRequest } from "../../sidecar/identity/certificate-request.ts";
import { type Credentials, readCredentials } from "../../sidecar/identity/credentials.ts";
import { type ApiServer, startApiServer } from "../cluster/api-server.ts";
import { ensureTestNodes, expectDone, nested, TestNamespace } from "../cluster/control-plane/objects.ts";
import { askForCertificate, requestToken } from "../cluster/control-plane/workload.ts";
import { applyDefinitions } from "../cluster/definitions.ts";
import { answersOk } from "./answers.ts";
import { type Processes, until } from "./processes.ts";

const discoveryPort = 15_010;
const identityPort = 15_012;
const adminPort = 15_014;
const readyWithinMs = 120_000;
const bundleWithinMs = 30_000;

/** An API server with Tulle's definitions, and one namespace of the mesh. */
export class BenchCluster implements AsyncDisposable {
  readonly server: ApiServer;
  readonly shop: TestNamespace;

  private constructor(server: ApiServer, shop: TestNamespace) {
    this.server = server;
    this.shop = shop;
  }

  static async start(): Promise<BenchCluster> {
    const server = await startApiServer();
    const { api } = server;
    await applyDefinitions(api);
    await ensureTestNodes(api);
    const metadata = { name: meshNamespace };
    expectDone(await api.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata } }));
    return new BenchCluster(server, await TestNamespace.create(api, "shop", { "tulle.dev/inject": "enabled" }));
  }

  get api(): ClusterApi {
    return this.server.api;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.stop();
  }
}

export interface RunningControlPlane {
  readonly pid: number;
  readonly host: string;
  readonly discovery: string;
  /** The time from `exec` until it serves. */
  readonly startMs: number;
}

/** Resolves once it is ready: by then it has read the whole cluster. */
export async function startControlPlane(
  { server }: BenchCluster,
  host: string,
  processes: Processes,
): Promise<RunningControlPlane> {
  const { controlPlane } = await ensureBundles();
  const startMs = performance.now();
  const args = [...controlPlaneNodeFlags, controlPlane, "--kubeconfig", server.kubeconfig, "--listen-address", host];
  const pid = processes.start({ command: process.execPath, args, env: { PATH: process.env["PATH"] } });
  const ready = `http://${host}:${adminPort}/ready`;
  await until(() => answersOk(ready), `${ready} does not answer 200`, readyWithinMs);
  return { pid, host, discovery: `${host}:${discoveryPort}`, startMs: performance.now() - startMs };
}

/** The trust bundle in PEM. The control plane may take a while to write it into the namespace. */
export async function trustBundleOf({ shop }: BenchCluster): Promise<string> {
  const bundle = async () => nested((await shop.read("v1", "configmaps/tulle-trust-bundle")).body, "data");
  await until(async () => (await bundle()) !== undefined, "there is no trust bundle", bundleWithinMs);
  return String(nested(await bundle(), "trust-bundle.pem"));
}

/** The credentials of the pod `<workload>-1` in `shop`, which must exist. */
export async function credentialsOf(
  cluster: BenchCluster,
  { host }: RunningControlPlane,
  workload: string,
): Promise<Credentials> {
  const { api, shop } = cluster;
  const trustBundlePem = await trustBundleOf(cluster);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { certificateChainDer } = await askForCertificate({
    host,
    identityPort,
    trustBundlePem,
    token: await requestToken(api, { namespace: shop, serviceAccount: workload, pod: `${workload}-1` }),
    requestDer: buildCertificateRequest(privateKey),
  });
  const read = readCredentials({
    certificateChainPem: certificateChainDer.map((der) => new X509Certificate(der).toString()).join(""),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    trustBundlePem,
  });
  if (!read.ok) throw new Error(read.error);
  return read.value.credentials;
}
