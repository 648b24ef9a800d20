/** Finds the manifests below a folder, and the directories to watch for more. Reads no file. */

import type { BigIntStats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { compareStrings } from "./problem.ts";

export interface FolderListing {
  /** By path, sorted: the stamp changes whenever the content may have. */
  readonly files: ReadonlyMap<string, string>;
  /** By path: the inode, which differs when a directory was made anew under its old name. */
  readonly directories: ReadonlyMap<string, bigint>;
}

const manifestName = /\.(ya?ml|json)$/i;

/**
 * Lists a folder, or the one file that `root` names. Skips names that begin with a dot (editors' swap files, `.git`, the
 * `..data` of a mounted ConfigMap) and `node_modules`. Follows links to files, not to directories. Rejects if `root` is gone.
 */
export async function listFolder(root: string): Promise<FolderListing> {
  const files: [string, string][] = [];
  const directories = new Map<string, bigint>();
  const rootStats = await stat(root, { bigint: true });
  if (rootStats.isDirectory()) {
    await walk(root, rootStats, files, directories);
  } else {
    files.push([root, stampOf(rootStats)]);
    directories.set(dirname(root), (await stat(dirname(root), { bigint: true })).ino);
  }
  return { files: new Map(files.sort(([a], [b]) => compareStrings(a, b))), directories };
}

async function walk(
  directory: string,
  stats: BigIntStats,
  files: [string, string][],
  directories: Map<string, bigint>,
): Promise<void> {
  directories.set(directory, stats.ino);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const path = join(directory, entry.name);
    const found = entry.isDirectory() || manifestName.test(entry.name) ? await statIfThere(path) : undefined;
    if (found === undefined) continue;
    if (entry.isDirectory() && found.isDirectory()) await walk(path, found, files, directories);
    else if (found.isFile()) files.push([path, stampOf(found)]);
  }
}

/** Undefined for what vanished since its directory was read, and for dangling links. */
async function statIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function stampOf(stats: BigIntStats): string {
  return `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
