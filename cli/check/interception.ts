/** Are connections really redirected to the sidecar? If not, a policy that requires mutual TLS can't be enforced. */

import { initName } from "../../control-plane/injection/marks.ts";
import { findExposedPods } from "../../control-plane/status/exposed-pods.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { at, type Fields, listAt, nameOf, readMeta, textAt } from "../cluster/fields.ts";
import { hasSidecar } from "../sidecars/find-sidecars.ts";
import { type Check, type Finding, fail, named, ok, warn } from "./finding.ts";
import { isAlive } from "./pods-without-sidecar.ts";

const maxAsked = 3;

export const interception: Check = {
  name: "interception",
  async run({ cluster, pods, reading }) {
    const meshed = (await pods()).filter((pod) => hasSidecar(pod) && isAlive(pod));
    if (meshed.length === 0) return [];
    const open = meshed.filter((pod) => !isRedirected(pod)).map(nameOf);
    const strict = new Set([...findExposedPods((await reading()).pipeline.index).values()].flat());
    const exposed = open.filter((pod) => strict.has(pod));
    const free = open.filter((pod) => !strict.has(pod));
    const fix = `they need NET_ADMIN for ${initName}: take tulle.dev/intercept: "off" away, or strict`;
    return [
      ...(exposed.length > 0 ? [fail(`strict does not hold for ${named(exposed)}: nothing is redirected`, fix)] : []),
      ...(free.length > 0
        ? [warn(`nothing is redirected in ${named(free)}`, "their programs reach the mesh by http_proxy alone")]
        : []),
      ...(await modes(cluster, meshed.filter(isRedirected))),
    ];
  },
};

/** The init container logs how it has set up the redirect, and that it has tested it. */
async function modes(cluster: Cluster, redirected: readonly Fields[]): Promise<Finding[]> {
  if (redirected.length === 0) return [];
  const asked = onePerNode(redirected).slice(0, maxAsked);
  const logs = await Promise.all(asked.map((pod) => initLog(cluster, pod)));
  const tried = asked.filter((_pod, index) => logs[index]?.includes('"redirect set and tried"'));
  const notes = new Set(logs.flatMap(notesIn));
  const counted = `iptables over nftables in ${redirected.length} pods`;
  const text = tried.length === 0 ? counted : `${counted}, tried in ${named(tried.map(nameOf))}`;
  return [ok(text), ...[...notes].map((note) => warn(note))];
}

/** Empty if the user may not read it, or if it is gone. */
async function initLog(cluster: Cluster, pod: Fields): Promise<string> {
  const { namespace, name } = readMeta(pod);
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/log`;
  const { status, body } = await cluster.request({ path, query: { container: initName, tailLines: "20" } });
  return status === 200 ? (typeof body === "string" ? body : JSON.stringify(body)) : "";
}

/** What the init container could not do, and did without. */
function notesIn(log: string): string[] {
  return [...log.matchAll(/"message":"redirect","note":("(?:[^"\\]|\\.)*")/g)].map(([, text = '""']) =>
    String(JSON.parse(text)),
  );
}

function onePerNode(pods: readonly Fields[]): Fields[] {
  return [...new Map(pods.map((pod) => [textAt(pod, "spec", "nodeName"), pod])).values()];
}

function isRedirected(pod: Fields): boolean {
  return listAt(pod, "spec", "initContainers").some((container) => at(container, "name") === initName);
}
