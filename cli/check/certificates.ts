/** Checks every certificate that can expire: the root's, that of the webhooks' server, and those of the workloads. */

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, type PeerCertificate } from "node:tls";
import { formatLeft } from "../../control-plane/dashboard/page/format.ts";
import { reasonOf } from "../../system/log.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { textAt } from "../cluster/fields.ts";
import { controlPlanePods } from "../mesh-client.ts";
import { type Asked, type Check, type Finding, fail, named, ok, warn } from "./finding.ts";
import { webhookRoots } from "./webhooks.ts";

const webhookPort = 9_443;
const handshakeWithinMs = 5_000;
const dayMs = 86_400_000;
/** Like the alert: time enough to rotate it calmly. */
const rootSoonMs = 30 * dayMs;
/** Renewal begins at 70 % of a leaf's lifetime, so within the last tenth of a day it is late. */
const leafSoonMs = dayMs / 10;

export const certificates: Check = {
  name: "certificates",
  async run(asked) {
    const roots = await webhookRoots(asked.cluster);
    if (roots === undefined) return [warn("the mesh's root is not known: see webhooks")];
    const served = await servingCertificate(asked.cluster, roots, asked.nowMs);
    return [...rootFindings(roots, asked.nowMs), await bundlesOf(asked, roots), served, ...(await leaves(asked))];
  },
};

function rootFindings(pem: string, nowMs: number): Finding[] {
  return certificatesIn(pem).map(({ validToDate, subject }) => {
    const leftMs = validToDate.getTime() - nowMs;
    const says = `root ${subject.replace(/^CN=/, "")}: ${formatLeft(leftMs)} left`;
    if (leftMs <= 0) return fail(says, "tulle certs rotate-root");
    return leftMs < rootSoonMs ? warn(says, "tulle certs rotate-root") : ok(says);
  });
}

/** Checks the trust bundles that sidecars get, namespace by namespace. */
async function bundlesOf({ cluster, namespaces }: Asked, roots: string): Promise<Finding> {
  const configMaps = await cluster.list("/api/v1/configmaps", { fieldSelector: "metadata.name=tulle-trust-bundle" });
  const known = new Set((await namespaces()).map((namespace) => textAt(namespace, "metadata", "name")));
  const trusted = new Set(certificatesIn(roots).map(({ fingerprint256 }) => fingerprint256));
  const others = configMaps.filter((map) => {
    const own = certificatesIn(textAt(map, "data", "trust-bundle.pem") ?? "");
    return !own.some(({ fingerprint256 }) => trusted.has(fingerprint256));
  });
  const names = others.flatMap((map) => textAt(map, "metadata", "namespace") ?? []).filter((name) => known.has(name));
  if (names.length > 0)
    return fail(
      `${named(names)}: another trust bundle than the mesh's`,
      "the control plane writes it: look at its log",
    );
  return ok(`the trust bundle is in ${configMaps.length} ${configMaps.length === 1 ? "namespace" : "namespaces"}`);
}

async function servingCertificate(cluster: Cluster, roots: string, nowMs: number): Promise<Finding> {
  try {
    const [pod] = await controlPlanePods(cluster);
    if (pod === undefined) return warn("the webhooks' certificate is not known: no control plane is ready");
    const shown = await handshake(cluster, pod, roots);
    const leftMs = Date.parse(shown.valid_to) - nowMs;
    return leftMs > 0 ? ok(`webhooks: ${formatLeft(leftMs)} left`) : fail("that of the webhooks has expired");
  } catch (error) {
    return warn(`the webhooks' certificate could not be looked at: ${reasonOf(error)}`);
  }
}

/** Does what the API server does. Rejects if the server would not trust the certificate. */
async function handshake(
  cluster: Cluster,
  pod: { namespace: string; name: string },
  ca: string,
): Promise<PeerCertificate> {
  const connection = await cluster.connect(pod, webhookPort);
  const servername = `tulle-control-plane.${cluster.meshNamespace}.svc`;
  const socket = connect({ socket: connection, servername, ca });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(handshakeWithinMs) });
    return socket.getPeerCertificate();
  } finally {
    socket.destroy();
    connection.destroy();
  }
}

async function leaves({ view, nowMs }: Asked): Promise<Finding[]> {
  const mesh = await view().catch(() => undefined); // reported by the check of the control plane
  const all = mesh?.sidecars ?? [];
  // A sidecar that has just connected has not told its own yet.
  const ends = all.flatMap(({ pod, certificateEndsMs }) =>
    certificateEndsMs === undefined ? [] : [{ pod, leftMs: certificateEndsMs - nowMs }],
  );
  if (ends.length === 0) return [];
  const over = ends.filter(({ leftMs }) => leftMs <= 0).map(({ pod }) => pod);
  const soon = ends.filter(({ leftMs }) => leftMs > 0 && leftMs < leafSoonMs).map(({ pod }) => pod);
  const first = Math.min(...ends.map(({ leftMs }) => leftMs));
  const logs = "kubectl logs POD -c tulle-sidecar: it says why it could not renew";
  const counted = ends.length === all.length ? `${all.length}` : `${ends.length} of ${all.length}`;
  return [
    ...(over.length > 0 ? [fail(`those of ${named(over)} are over`, logs)] : []),
    ...(soon.length > 0 ? [warn(`those of ${named(soon)} are due and not renewed`, logs)] : []),
    ...(over.length + soon.length === 0 ? [ok(`${counted} sidecars: the first ends in ${formatLeft(first)}`)] : []),
  ];
}

const pemPattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

function certificatesIn(pem: string): X509Certificate[] {
  return [...pem.matchAll(pemPattern)].map(([text]) => new X509Certificate(text));
}
