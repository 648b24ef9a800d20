/** Sets the redirect in this network namespace, and says what prevents it. Repeating it changes nothing. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { err, ok, type Result } from "../../model/result.ts";
import { chains, type Family, jumps, redirectPorts, redirectRules, type Skipped } from "./rules.ts";

const commands: Readonly<Record<Family, string>> = { ipv4: "iptables-nft", ipv6: "ip6tables-nft" };

/** The families of this pod's addresses, not counting loopback and link-local ones. */
export function podFamilies(): readonly Family[] {
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  const own = addresses.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  const families: readonly Family[] = ["ipv4", "ipv6"];
  return families.filter((family) => own.some((found) => found.family.toLowerCase() === family));
}

/**
 * Sets the rules of both families. If the kernel has no IPv6 rules, that is an error only if the pod has an IPv6 address. Returns
 * notes that the user should read.
 */
export function setRedirect(skipped: Skipped, families: readonly Family[]): Result<readonly string[], string> {
  const notes = [...noteLegacyRules()];
  for (const family of ["ipv4", "ipv6"] as const) {
    const set = setFamily(family, skipped);
    if (set.ok) continue;
    if (families.includes(family)) return set;
    notes.push(`${family} is not redirected, and this pod has no such address: ${set.error}`);
  }
  return ok(notes);
}

function setFamily(family: Family, skipped: Skipped): Result<undefined, string> {
  const command = commands[family];
  const restored = run(`${command}-restore`, ["--noflush"], redirectRules(family, skipped));
  if (!restored.ok) return restored;
  for (const jump of jumps) {
    if (iptables(command, "-C", jump).ok) continue;
    const added = iptables(command, "-A", jump);
    if (!added.ok) return added;
  }
  // The inbound redirect can't be tried from here, so the rules are looked up.
  for (const rule of [...jumps, [chains.inbound, "-p", "tcp", ...redirectTo(redirectPorts.inbound)]]) {
    const found = iptables(command, "-C", rule);
    if (!found.ok) return err(`the rule ${rule.join(" ")} was set and is not there: ${found.error}`);
  }
  return ok(undefined);
}

function redirectTo(port: number): readonly string[] {
  return ["-j", "REDIRECT", "--to-ports", String(port)];
}

function iptables(command: string, action: "-A" | "-C", rule: readonly string[]): Result<undefined, string> {
  return run(command, ["-w", "-t", "nat", action, ...rule], "");
}

/** The error is one line. */
function run(command: string, args: readonly string[], input: string): Result<undefined, string> {
  const { status, stderr, error } = spawnSync(command, args, { input, encoding: "utf8" });
  if (status === 0) return ok(undefined);
  const reason = error?.message ?? stderr.trim().replace(/\s+/g, " ");
  return err(`${command}: ${reason || `exit code ${status}`}`);
}

/** Returns a note if legacy rules exist: both sets of rules then apply to each connection, and the other may come first. */
function noteLegacyRules(): readonly string[] {
  const tables = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"].filter((file) => {
    try {
      return readFileSync(file, "utf8").split("\n").includes("nat");
    } catch {
      return false; // the kernel has no such table
    }
  });
  return tables.length === 0 ? [] : ["iptables-legacy has a nat table in this pod, beside the rules (nft) set here"];
}
