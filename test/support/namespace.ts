/** For programs that run in their own network namespace (`unshare --map-root-user --net`): its addresses and its rules. */

import { spawnSync } from "node:child_process";
import net from "node:net";

/** Throws with the command's output if it fails. */
export function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

/** A new namespace has no addresses, not even 127.0.0.1. */
export function setUpLoopback(addresses: readonly string[]): void {
  run("ip", "link", "set", "lo", "up");
  for (const address of addresses) {
    if (net.isIPv6(address)) run("ip", "-6", "address", "add", `${address}/128`, "dev", "lo", "nodad");
    else run("ip", "address", "add", `${address}/32`, "dev", "lo");
  }
}

/** Appends a rule for connections dialled here. */
export function addRule(command: "iptables" | "ip6tables", ...rule: string[]): void {
  run(command, "-w", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", ...rule);
}

export function redirect(command: "iptables" | "ip6tables", port: number, ...match: string[]): void {
  addRule(command, ...match, "-j", "REDIRECT", "--to-ports", String(port));
}

/** Redirects connections that come in from elsewhere. */
export function redirectIncoming(command: "iptables" | "ip6tables", port: number, ...match: string[]): void {
  const rule = ["PREROUTING", "-p", "tcp", ...match, "-j", "REDIRECT", "--to-ports", String(port)];
  run(command, "-w", "-t", "nat", "-A", ...rule);
}
