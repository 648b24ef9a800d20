/**
 * Kubernetes NetworkPolicies, as a set of rules that add up. Pure.
 * https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */

import { at, type Fields, listAt, numberAt, readMeta, textAt, wordsAt } from "../cluster/fields.ts";
import { isSelected } from "./label-selector.ts";

export type Direction = "ingress" | "egress";

export interface Rule {
  readonly policy: Fields;
  readonly direction: Direction;
  readonly index: number;
  readonly rule: Fields;
}

/** A TCP port, by number, and by name if it has one. */
export interface WantedPort {
  readonly port: number;
  readonly name?: string;
}

/** Whether the policy selects this pod, in any direction. */
export function isHeld(policy: Fields, pod: Fields): boolean {
  const { namespace, labels } = readMeta(pod);
  return readMeta(policy).namespace === namespace && isSelected(at(policy, "spec", "podSelector"), labels);
}

/** A policy without types applies to ingress, and to egress if it has egress rules. */
export function holdsFor(policy: Fields, direction: Direction): boolean {
  const types = wordsAt(policy, "spec", "policyTypes");
  if (types.length > 0) return types.some((type) => type.toLowerCase() === direction);
  return direction === "ingress" || listAt(policy, "spec", "egress").length > 0;
}

export function rulesOf(policy: Fields): Rule[] {
  return (["ingress", "egress"] as const).flatMap((direction) => {
    const rules = holdsFor(policy, direction) ? listAt(policy, "spec", direction) : [];
    return rules.map((rule, index) => ({ policy, direction, index, rule }));
  });
}

/** A rule without ports admits all of them. */
export function admitsPort(rule: Fields, wanted: WantedPort): boolean {
  const ports = listAt(rule, "ports");
  return ports.length === 0 || ports.some((port) => coversPort(port, wanted));
}

function coversPort(port: Fields, wanted: WantedPort): boolean {
  if ((textAt(port, "protocol") ?? "TCP") !== "TCP") return false;
  const first = numberAt(port, "port");
  // A named port is looked up in the pod that is reached; an absent one means every port of the protocol.
  if (first === undefined) return at(port, "port") === undefined || at(port, "port") === wanted.name;
  return first <= wanted.port && wanted.port <= (numberAt(port, "endPort") ?? first);
}
