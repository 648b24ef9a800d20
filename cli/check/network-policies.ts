/**
 * NetworkPolicies see the mesh link, not the application's ports: what admits only those cuts meshed pods off from each other.
 * Each rule that lets somebody in or out by ports has to admit 15008 for the same peers; the patch that does it is printed.
 */

import { isDeepStrictEqual } from "node:util";
import { at, type Fields, listAt, nameOf, numberAt, readMeta, textAt, wordsAt } from "../cluster/fields.ts";
import { hasSidecar } from "../sidecars/find-sidecars.ts";
import { type Check, type Finding, fail, ok } from "./finding.ts";
import { isSelected } from "./label-selector.ts";
import { isAlive } from "./pods-without-sidecar.ts";

const meshPort = 15_008;

export const networkPolicies: Check = {
  name: "network policies",
  async run({ cluster, pods }) {
    const policies = await cluster.list("/apis/networking.k8s.io/v1/networkpolicies");
    const meshed = (await pods()).filter((pod) => hasSidecar(pod) && isAlive(pod));
    return judgePolicies(policies, meshed);
  },
};

/** Of all policies, what they do to the meshed pods. Pure. */
export function judgePolicies(policies: readonly Fields[], meshed: readonly Fields[]): readonly Finding[] {
  const findings = policies.flatMap((policy) => missingIn(policy, policies, meshed));
  if (findings.length > 0) return findings;
  return policies.length === 0
    ? [ok("there are none")]
    : [ok(`${policies.length} admit the mesh link, or select no meshed pod`)];
}

interface Rule {
  readonly policy: Fields;
  readonly direction: "ingress" | "egress";
  readonly place: number;
  readonly rule: Fields;
}

function missingIn(policy: Fields, policies: readonly Fields[], meshed: readonly Fields[]): Finding[] {
  const selected = meshed.filter((pod) => isHeld(policy, pod));
  if (selected.length === 0) return [];
  return rulesOf(policy)
    .filter((rule) => !admitsLink(rule.rule))
    .filter((rule) => !selected.every((pod) => isAdmittedElsewhere(rule, pod, policies)))
    .map((rule) => describe(rule, selected));
}

function describe({ policy, direction, place }: Rule, selected: readonly Fields[]): Finding {
  const { namespace, name } = readMeta(policy);
  const patch = [
    { op: "add", path: `/spec/${direction}/${place}/ports/-`, value: { port: meshPort, protocol: "TCP" } },
  ];
  const pods = `${selected.length} meshed ${selected.length === 1 ? "pod" : "pods"}`;
  return fail(
    `${nameOf(policy)}: ${direction} rule ${place + 1} does not admit TCP ${meshPort}, for ${pods}`,
    `kubectl -n ${namespace} patch networkpolicy ${name} --type json -p '${JSON.stringify(patch)}'`,
  );
}

/** Rules add up: the link may be admitted by another rule, for the same peers or for all. */
function isAdmittedElsewhere({ rule, direction }: Rule, pod: Fields, policies: readonly Fields[]): boolean {
  const peersOf = (any: Fields) => listAt(any, direction === "ingress" ? "from" : "to");
  const peers = peersOf(rule);
  return policies
    .filter((policy) => isHeld(policy, pod))
    .flatMap(rulesOf)
    .filter((other) => other.direction === direction && admitsLink(other.rule))
    .some((other) => peersOf(other.rule).length === 0 || isDeepStrictEqual(peersOf(other.rule), peers));
}

function isHeld(policy: Fields, pod: Fields): boolean {
  const { namespace, labels } = readMeta(pod);
  return readMeta(policy).namespace === namespace && isSelected(at(policy, "spec", "podSelector"), labels);
}

/** A policy without types holds for ingress, and for egress where it has such rules. */
function rulesOf(policy: Fields): Rule[] {
  const types = wordsAt(policy, "spec", "policyTypes");
  return (["ingress", "egress"] as const).flatMap((direction) => {
    const holds = types.length === 0 || types.some((type) => type.toLowerCase() === direction);
    const rules = holds ? listAt(policy, "spec", direction) : [];
    return rules.map((rule, place) => ({ policy, direction, place, rule }));
  });
}

/** A rule without ports admits all of them. */
function admitsLink(rule: Fields): boolean {
  const ports = listAt(rule, "ports");
  return ports.length === 0 || ports.some(coversLink);
}

function coversLink(port: Fields): boolean {
  if ((textAt(port, "protocol") ?? "TCP") !== "TCP") return false;
  const first = numberAt(port, "port");
  // A port by name is one of the application's; none at all means every port of the protocol.
  if (first === undefined) return at(port, "port") === undefined;
  return first <= meshPort && meshPort <= (numberAt(port, "endPort") ?? first);
}
