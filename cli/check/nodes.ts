/**
 * Can pods run on these nodes? They need Linux with nftables, a processor that there are images for, and a kubelet that
 * supports native sidecars.
 */

import { type Fields, nameOf, textAt } from "../cluster/fields.ts";
import { type Check, fail, named, ok, warn } from "./finding.ts";
import { isNewEnough } from "./kubernetes-version.ts";

const architectures = ["amd64", "arm64"];
/** The first long-lived kernel whose nftables accept every rule of the redirect. */
const oldestKernel = [4, 18] as const;

export const nodes: Check = {
  name: "nodes",
  async run({ cluster }) {
    const found = await cluster.list("/api/v1/nodes");
    const linux = found.filter((node) => infoOf(node, "operatingSystem") !== "windows");
    const refused = linux.flatMap(reasonAgainst);
    if (refused.length > 0) return refused.map((reason) => fail(reason));
    const others = found.filter((node) => !linux.includes(node)).map(nameOf);
    return [
      ok(`${linux.length} with Linux ${oldestKernel.join(".")} or later, for iptables over nftables`),
      ...(others.length > 0 ? [warn(`${named(others)}: pods on Windows get no sidecar`)] : []),
    ];
  },
};

function reasonAgainst(node: Fields): string[] {
  const name = nameOf(node);
  const kubelet = infoOf(node, "kubeletVersion");
  const kernel = infoOf(node, "kernelVersion");
  const architecture = infoOf(node, "architecture");
  return [
    ...(kubelet !== undefined && !isNewEnough(kubelet) ? [`${name}: kubelet ${kubelet} is older than 1.29`] : []),
    ...(kernel !== undefined && isOld(kernel)
      ? [`${name}: kernel ${kernel} is older than ${oldestKernel.join(".")}`]
      : []),
    ...(architecture !== undefined && !architectures.includes(architecture)
      ? [`${name}: there are images for ${architectures.join(" and ")}, not for ${architecture}`]
      : []),
  ];
}

/** Undefined if the node does not report it, or has not yet. */
function infoOf(node: Fields, field: string): string | undefined {
  const text = textAt(node, "status", "nodeInfo", field);
  return text === "" ? undefined : text;
}

/** `5.15.0-91-generic`. */
function isOld(kernel: string): boolean {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(kernel) ?? [];
  const [oldestMajor, oldestMinor] = oldestKernel;
  return Number(major) < oldestMajor || (Number(major) === oldestMajor && Number(minor) < oldestMinor);
}
