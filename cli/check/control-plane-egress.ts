/**
 * A sidecar gets its certificate and its policy from the control plane. Where NetworkPolicies restrict what pods may dial,
 * one of them has to admit the control plane's two ports: a pod whose sidecar gets no certificate never becomes ready.
 */

import { BlockList, isIPv6 } from "node:net";
import { at, type Fields, listAt, nameOf, readMeta, textAt, wordsAt } from "../cluster/fields.ts";
import { type Finding, fail } from "./finding.ts";
import { isSelected } from "./label-selector.ts";
import { admitsPort, holdsFor, isHeld, rulesOf, type WantedPort } from "./network-policy-rules.ts";

/** The ports that sidecars dial there, under the chart's names. */
export const dialled: readonly Required<WantedPort>[] = [
  { port: 15_010, name: "discovery" },
  { port: 15_012, name: "identity" },
];

/** The pods that sidecars must reach. */
export interface ControlPlanePods {
  /** Empty: a rule's peers can't be compared with them, so nothing is found. */
  readonly pods: readonly Fields[];
  readonly namespaceLabels: Readonly<Record<string, string>>;
}

/** Gives one finding per policy: a pod that no policy lets through counts for the first policy that selects it. Pure. */
export function judgeEgress(
  policies: readonly Fields[],
  meshed: readonly Fields[],
  controlPlane: ControlPlanePods,
): readonly Finding[] {
  const [target] = controlPlane.pods;
  if (target === undefined) return [];
  const holding = policies.filter((policy) => holdsFor(policy, "egress"));
  const cutOff = meshed.flatMap((pod) => {
    const ofPod = holding.filter((policy) => isHeld(policy, pod));
    const [policy] = ofPod;
    const ports = dialled.filter((port) => !ofPod.some((one) => admits(one, port, controlPlane)));
    return policy === undefined || ports.length === 0 ? [] : [{ policy, ports: ports.map(({ port }) => port) }];
  });
  const byPolicy = Map.groupBy(cutOff, ({ policy }) => policy);
  return Array.from(byPolicy, ([policy, pods]) => {
    const ports = [...new Set(pods.flatMap((pod) => pod.ports))].sort((a, b) => a - b);
    return describe(policy, ports, pods.length, target);
  });
}

function admits(policy: Fields, port: WantedPort, { pods, namespaceLabels }: ControlPlanePods): boolean {
  const { namespace } = readMeta(policy);
  return rulesOf(policy)
    .filter(({ direction, rule }) => direction === "egress" && admitsPort(rule, port))
    .some(({ rule }) => {
      const peers = listAt(rule, "to");
      return (
        peers.length === 0 || pods.every((pod) => peers.some((peer) => isPeer(peer, pod, namespaceLabels, namespace)))
      );
    });
}

/** `ownNamespace` is the policy's namespace, which a peer without a namespace selector refers to. */
function isPeer(
  peer: Fields,
  pod: Fields,
  namespaceLabels: ControlPlanePods["namespaceLabels"],
  ownNamespace: string,
): boolean {
  if (at(peer, "ipBlock") !== undefined) return isInBlock(textAt(pod, "status", "podIP") ?? "", peer);
  const { namespace, labels } = readMeta(pod);
  const selector = at(peer, "namespaceSelector");
  const inNamespace = selector === undefined ? namespace === ownNamespace : isSelected(selector, namespaceLabels);
  return inNamespace && isSelected(at(peer, "podSelector"), labels);
}

function isInBlock(address: string, peer: Fields): boolean {
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  const within = (cidr: string): boolean => {
    const [net = "", bits = ""] = cidr.split("/");
    if (isIPv6(net) !== (family === "ipv6")) return false;
    const block = new BlockList();
    block.addSubnet(net, Number(bits), family);
    return block.check(address, family);
  };
  return within(textAt(peer, "ipBlock", "cidr") ?? "") && !wordsAt(peer, "ipBlock", "except").some(within);
}

function describe(policy: Fields, ports: readonly number[], count: number, target: Fields): Finding {
  const { namespace, name } = readMeta(policy);
  const { namespace: meshNamespace } = readMeta(target);
  const rule = {
    to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": meshNamespace } } }],
    ports: ports.map((port) => ({ port, protocol: "TCP" })),
  };
  const hasRules = Array.isArray(at(policy, "spec", "egress"));
  const patch = [{ op: "add", path: `/spec/egress${hasRules ? "/-" : ""}`, value: hasRules ? rule : [rule] }];
  const pods = `${count} meshed ${count === 1 ? "pod" : "pods"}`;
  return fail(
    `${nameOf(policy)}: egress does not admit TCP ${ports.join(" and ")} of the control plane, for ${pods}`,
    `kubectl -n ${namespace} patch networkpolicy ${name} --type json -p '${JSON.stringify(patch)}'`,
  );
}
