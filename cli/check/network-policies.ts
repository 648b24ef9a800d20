/**
 * NetworkPolicies see the mesh link, not the application's ports: a policy that admits only those cuts meshed pods off
 * from each other. Each rule that admits traffic by port has to admit 15008 for the same peers; the patch that does so is
 * printed. And they apply to sidecars on their way to the control plane.
 */

import { isDeepStrictEqual } from "node:util";
import { at, type Fields, listAt, nameOf, readMeta } from "../cluster/fields.ts";
import { controlPlaneLabels } from "../mesh-client.ts";
import { hasSidecar } from "../sidecars/find-sidecars.ts";
import { type ControlPlanePods, dialled, judgeEgress } from "./control-plane-egress.ts";
import { type Asked, type Check, type Finding, fail, ok } from "./finding.ts";
import { admitsPort, isHeld, type Rule, rulesOf } from "./network-policy-rules.ts";
import { isAlive } from "./pods-without-sidecar.ts";

const meshPort = 15_008;
/** DNS, and the control plane's ports for sidecars: traffic that a mesh link would not carry anyway. */
const besideTheMesh: readonly unknown[] = [53, "dns", "dns-tcp", ...dialled.flatMap(({ port, name }) => [port, name])];

export const networkPolicies: Check = {
  name: "network policies",
  async run(asked) {
    const policies = await asked.cluster.list("/apis/networking.k8s.io/v1/networkpolicies");
    const meshed = (await asked.pods()).filter((pod) => hasSidecar(pod) && isAlive(pod));
    return judgePolicies(policies, meshed, await controlPlaneOf(asked));
  },
};

async function controlPlaneOf({ cluster: { meshNamespace }, pods, namespaces }: Asked): Promise<ControlPlanePods> {
  const isOfIt = (pod: Fields): boolean => {
    const { namespace, labels } = readMeta(pod);
    const wanted = Object.entries(controlPlaneLabels);
    return namespace === meshNamespace && wanted.every(([label, value]) => labels[label] === value);
  };
  const namespace = (await namespaces()).find((one) => readMeta(one).name === meshNamespace);
  return {
    pods: (await pods()).filter((pod) => isOfIt(pod) && isAlive(pod)),
    namespaceLabels: namespace === undefined ? {} : readMeta(namespace).labels,
  };
}

/** Judges all policies by their effect on the meshed pods. Pure. */
export function judgePolicies(
  policies: readonly Fields[],
  meshed: readonly Fields[],
  controlPlane: ControlPlanePods,
): readonly Finding[] {
  const links = policies.flatMap((policy) => missingIn(policy, policies, meshed));
  const findings = [...links, ...judgeEgress(policies, meshed, controlPlane)];
  if (findings.length > 0) return findings;
  return policies.length === 0
    ? [ok("there are none")]
    : [ok(`${policies.length} admit the mesh link, or select no meshed pod`)];
}

function missingIn(policy: Fields, policies: readonly Fields[], meshed: readonly Fields[]): Finding[] {
  const selected = meshed.filter((pod) => isHeld(policy, pod));
  if (selected.length === 0) return [];
  return rulesOf(policy)
    .filter((rule) => !admitsLink(rule) && !isBesideTheMesh(rule))
    .filter((rule) => !selected.every((pod) => isAdmittedElsewhere(rule, pod, policies)))
    .map((rule) => describe(rule, selected));
}

function describe({ policy, direction, index }: Rule, selected: readonly Fields[]): Finding {
  const { namespace, name } = readMeta(policy);
  const patch = [
    { op: "add", path: `/spec/${direction}/${index}/ports/-`, value: { port: meshPort, protocol: "TCP" } },
  ];
  const pods = `${selected.length} meshed ${selected.length === 1 ? "pod" : "pods"}`;
  return fail(
    `${nameOf(policy)}: ${direction} rule ${index + 1} does not admit TCP ${meshPort}, for ${pods}`,
    `kubectl -n ${namespace} patch networkpolicy ${name} --type json -p '${JSON.stringify(patch)}'`,
  );
}

/** Rules add up: another rule may admit the mesh link, for the same peers or for all. */
function isAdmittedElsewhere({ rule, direction }: Rule, pod: Fields, policies: readonly Fields[]): boolean {
  const peersOf = (any: Fields) => listAt(any, direction === "ingress" ? "from" : "to");
  const peers = peersOf(rule);
  return policies
    .filter((policy) => isHeld(policy, pod))
    .flatMap(rulesOf)
    .filter((other) => other.direction === direction && admitsLink(other))
    .some((other) => peersOf(other.rule).length === 0 || isDeepStrictEqual(peersOf(other.rule), peers));
}

function isBesideTheMesh({ rule, direction }: Rule): boolean {
  return direction === "egress" && listAt(rule, "ports").every((port) => besideTheMesh.includes(at(port, "port")));
}

function admitsLink({ rule }: Rule): boolean {
  return admitsPort(rule, { port: meshPort });
}
