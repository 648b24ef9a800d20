/**
 * Reads from Linux's /proc about the processes that this mesh started: which of them carry its mark, and which listen where.
 *
 * Every process of a mesh inherits `TULLE_DEV_MESH=<id>` in its environment, whatever it forks and whichever process group it
 * moves to. So nothing has to be registered, and nothing started a moment before a crash is missed.
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

export const markVariable = "TULLE_DEV_MESH";

/** The processes with this mark, without zombies. */
export function markedProcesses(mark: string): readonly number[] {
  const wanted = `${markVariable}=${mark}`;
  return processIds().filter((pid) => readProc(pid, "environ")?.split("\0").includes(wanted));
}

/** The processes of this group, including the leader. */
export function processesOfGroup(group: number): readonly number[] {
  return processIds().filter((pid) => groupOf(pid) === group);
}

export interface Listener {
  readonly address: string;
  readonly port: number;
}

/** The TCP sockets on which these processes listen; the IPv6 wildcard is `::`, other IPv6 addresses are left out. */
export function listenersOf(pids: readonly number[]): readonly Listener[] {
  const inodes = new Set(pids.flatMap(socketInodes));
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readText(path) ?? "");
  return tables.flatMap((table) => table.split("\n").slice(1)).flatMap((line) => parseListener(line, inodes) ?? []);
}

/** A row of /proc/net/tcp (proc_net(5)): `sl local_address rem_address st … inode`, addresses in host byte order, hexadecimal. */
function parseListener(line: string, inodes: ReadonlySet<string>): Listener | undefined {
  const fields = line.trim().split(/\s+/);
  const [, local, , state] = fields;
  const inode = fields[9];
  const listening = "0A";
  if (local === undefined || inode === undefined || state !== listening || !inodes.has(inode)) return undefined;
  const [address = "", port = ""] = local.split(":");
  if (address.length === 8) return { address: formatIpv4(address), port: Number.parseInt(port, 16) };
  return /^0+$/.test(address) ? { address: "::", port: Number.parseInt(port, 16) } : undefined;
}

function formatIpv4(littleEndianHex: string): string {
  return Buffer.from(littleEndianHex, "hex").reverse().join(".");
}

function socketInodes(pid: number): readonly string[] {
  return listFolder(`/proc/${pid}/fd`).flatMap((fd) => {
    const target = readLink(`/proc/${pid}/fd/${fd}`);
    return target?.startsWith("socket:[") ? [target.slice("socket:[".length, -1)] : [];
  });
}

function groupOf(pid: number): number | undefined {
  // The name in parentheses may contain anything, so fields are counted from the last one: `state ppid pgrp`.
  const stat = readProc(pid, "stat");
  const group = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[2];
  return group === undefined ? undefined : Number(group);
}

function processIds(): readonly number[] {
  return listFolder("/proc").map(Number).filter(Number.isInteger);
}

// A process may end between two reads, and those of other users can't be read: both mean "not ours".
function readProc(pid: number, file: string): string | undefined {
  return readText(join("/proc", String(pid), file));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function listFolder(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
