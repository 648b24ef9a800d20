/**
 * The rules that bring a pod's connections to its sidecar, in the format of `iptables-restore`. Only text; `apply.ts` sets them.
 *
 * ```
 *   from outside ─▶ PREROUTING ─▶ TULLE_INBOUND ──▶ 15006         application ─▶ OUTPUT ─▶ TULLE_OUTBOUND ──▶ 15001
 *                                  └ returns: the mesh's own ports, skipped ports      └ returns: the sidecar's own, loopback,
 *                                                                                        DNS, the mesh's own ports, skipped
 * ```
 */

import { isIPv6 } from "node:net";

export type Family = "ipv4" | "ipv6";

/** What is not redirected, besides what never is. */
export interface Skipped {
  readonly inboundPorts: readonly number[];
  readonly outboundPorts: readonly number[];
  /** `10.0.0.0/8`, of either family. */
  readonly outboundRanges: readonly string[];
}

export const chains = { inbound: "TULLE_INBOUND", outbound: "TULLE_OUTBOUND" } as const;
export const proxyUser = 1337;
export const redirectPorts = { inbound: 15_006, outbound: 15_001 } as const;

/**
 * Called in other pods, and by other pods here. They are not redirected: the mesh link checks identities itself, and the admin
 * port is plain.
 */
const meshPorts = [15_008, 15_020];
const dnsPort = 53;
const loopback: Readonly<Record<Family, string>> = { ipv4: "127.0.0.0/8", ipv6: "::1/128" };

/** The whole content of both chains. Restored with `--noflush`, it replaces their content at once and touches no other chain. */
export function redirectRules(family: Family, skipped: Skipped): string {
  const { inbound, outbound } = chains;
  const ports = (chain: string, numbers: readonly number[]) =>
    numbers.map((port) => `-A ${chain} -p tcp --dport ${port} -j RETURN`);
  const ranges = skipped.outboundRanges.filter((range) => isIPv6(range.split("/")[0] ?? "") === (family === "ipv6"));
  return [
    "*nat",
    `:${inbound} - [0:0]`,
    `:${outbound} - [0:0]`,
    // 15001 listens on loopback only: it is not reachable from outside.
    ...ports(inbound, [redirectPorts.outbound, redirectPorts.inbound, ...meshPorts, ...skipped.inboundPorts]),
    `-A ${inbound} -p tcp -j REDIRECT --to-ports ${redirectPorts.inbound}`,
    // Otherwise the sidecar's own connections would come back to it.
    `-A ${outbound} -m owner --uid-owner ${proxyUser} -j RETURN`,
    `-A ${outbound} -o lo -j RETURN`,
    `-A ${outbound} -d ${loopback[family]} -j RETURN`,
    ...ports(outbound, [dnsPort, ...meshPorts, ...skipped.outboundPorts]),
    ...ranges.map((range) => `-A ${outbound} -d ${range} -j RETURN`),
    `-A ${outbound} -p tcp -j REDIRECT --to-ports ${redirectPorts.outbound}`,
    "COMMIT",
    "",
  ].join("\n");
}

/** The jumps from the kernel's own chains to ours, without the command (`-C`, `-A`). */
export const jumps: readonly (readonly string[])[] = [
  ["PREROUTING", "-p", "tcp", "-j", chains.inbound],
  ["OUTPUT", "-p", "tcp", "-j", chains.outbound],
];
