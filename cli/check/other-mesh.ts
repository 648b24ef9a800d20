/** Two meshes can share a cluster, but never a pod: each would redirect the other's connections. */

import { injectLabel } from "../../control-plane/injection/marks.ts";
import { nameOf, readMeta } from "../cluster/fields.ts";
import { type Check, fail, named, ok, warn } from "./finding.ts";

/** The names of other meshes' injection, and how a namespace asks for it. */
const others = [
  { mesh: "Istio", webhook: /^istio-sidecar-injector/, asks: isLabelled("istio-injection", "enabled") },
  { mesh: "Istio ambient", webhook: /^istio-ambient/, asks: isLabelled("istio.io/dataplane-mode", "ambient") },
  { mesh: "Linkerd", webhook: /^linkerd-proxy-injector/, asks: isAnnotated("linkerd.io/inject", "enabled") },
  { mesh: "Consul", webhook: /^consul-.*connect-injector/, asks: isLabelled("connect-inject", "enabled") },
  { mesh: "Kuma", webhook: /^kuma-admission-mutating/, asks: isLabelled("kuma.io/sidecar-injection", "enabled") },
] as const;

type Asks = (meta: ReturnType<typeof readMeta>) => boolean;

export const otherMesh: Check = {
  name: "other meshes",
  async run({ cluster, namespaces }) {
    const webhooks = await cluster.list("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations");
    const metas = (await namespaces()).map(readMeta);
    const shared = others.flatMap(({ mesh, asks }) => {
      const both = metas.filter((meta) => meta.labels[injectLabel] === "enabled" && asks(meta)).map(({ name }) => name);
      return both.length === 0 ? [] : [fail(`${named(both)}: also in ${mesh}`, `take one of the two labels off`)];
    });
    if (shared.length > 0) return shared;
    const installed = others.filter(({ webhook }) => webhooks.some((each) => webhook.test(nameOf(each))));
    if (installed.length === 0) return [ok("none")];
    const names = installed.map(({ mesh }) => mesh).join(", ");
    return [warn(`${names} is installed too`, "a namespace can be in one mesh at a time")];
  },
};

function isLabelled(label: string, value: string): Asks {
  return ({ labels }) => labels[label] === value;
}

function isAnnotated(annotation: string, value: string): Asks {
  return ({ annotations }) => annotations[annotation] === value;
}
