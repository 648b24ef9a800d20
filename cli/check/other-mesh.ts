/** Two meshes can share a cluster, but never a pod: each would redirect the other's connections. */

import { injectLabel } from "../../control-plane/injection/marks.ts";
import { nameOf, readMeta } from "../cluster/fields.ts";
import { type Check, fail, named, ok, warn } from "./finding.ts";

interface OtherMesh {
  readonly mesh: string;
  /** The names of the webhooks that inject. */
  readonly webhook: RegExp;
  /** How a namespace asks for injection. */
  readonly by: "label" | "annotate";
  readonly key: string;
  readonly value: string;
}

const others: readonly OtherMesh[] = [
  { mesh: "Istio", webhook: /^istio-sidecar-injector/, by: "label", key: "istio-injection", value: "enabled" },
  { mesh: "Istio ambient", webhook: /^istio-ambient/, by: "label", key: "istio.io/dataplane-mode", value: "ambient" },
  { mesh: "Linkerd", webhook: /^linkerd-proxy-injector/, by: "annotate", key: "linkerd.io/inject", value: "enabled" },
  { mesh: "Consul", webhook: /^consul-.*connect-injector/, by: "label", key: "connect-inject", value: "enabled" },
  {
    mesh: "Kuma",
    webhook: /^kuma-admission-mutating/,
    by: "label",
    key: "kuma.io/sidecar-injection",
    value: "enabled",
  },
];

export const otherMesh: Check = {
  name: "other meshes",
  async run({ cluster, namespaces }) {
    const webhooks = await cluster.list("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations");
    const ours = (await namespaces()).map(readMeta).filter(({ labels }) => labels[injectLabel] === "enabled");
    const shared = others.flatMap((other) => {
      const both = ours.filter((meta) => asksFor(other, meta)).map(({ name }) => name);
      const leave = `kubectl ${other.by} namespace ${both.join(" ")} ${other.key}-`;
      return both.length === 0 ? [] : [fail(`${named(both)}: also in ${other.mesh}`, leave)];
    });
    if (shared.length > 0) return shared;
    const installed = others.filter(({ webhook }) => webhooks.some((each) => webhook.test(nameOf(each))));
    if (installed.length === 0) return [ok("none")];
    const names = installed.map(({ mesh }) => mesh).join(", ");
    return [warn(`${names} is installed too`, "a namespace can be in one mesh at a time")];
  },
};

function asksFor({ by, key, value }: OtherMesh, { labels, annotations }: ReturnType<typeof readMeta>): boolean {
  return (by === "label" ? labels : annotations)[key] === value;
}
