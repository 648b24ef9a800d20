/** Finds the manifests below a folder, and the directories to watch for more. Reads no file. */

import type { BigIntStats, Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { compareStrings } from "./problem.ts";

export interface FolderListing {
  /** By path, sorted. */
  readonly files: ReadonlyMap<string, FoundFile>;
  /** By path: the inode, which changes when a directory is replaced by a new one of the same name. */
  readonly directories: ReadonlyMap<string, bigint>;
  /** The reasons why directories below the root could not be listed, by path. */
  readonly unreadable: ReadonlyMap<string, string>;
}

export interface FoundFile {
  /** Differs whenever the content may have changed. */
  readonly stamp: string;
  readonly bytes: number;
}

const manifestName = /\.(ya?ml|json)$/i;

/**
 * Lists a folder, or the one file that `root` names. Skips names that begin with a dot (editors' swap files, `.git`, the
 * `..data` of a mounted ConfigMap) and `node_modules`. Follows links to files, not to directories. Rejects if `root` itself
 * can't be read.
 */
export async function listFolder(root: string): Promise<FolderListing> {
  const walk = new Walk();
  const found = await stat(root, { bigint: true });
  if (found.isDirectory()) {
    await walk.list(root, found);
  } else {
    walk.files.push([root, describeFile(found)]);
    walk.directories.set(dirname(root), (await stat(dirname(root), { bigint: true })).ino);
  }
  const files = new Map(walk.files.sort(([a], [b]) => compareStrings(a, b)));
  return { files, directories: walk.directories, unreadable: walk.unreadable };
}

class Walk {
  readonly files: [string, FoundFile][] = [];
  readonly directories = new Map<string, bigint>();
  readonly unreadable = new Map<string, string>();

  async list(directory: string, stats: BigIntStats): Promise<void> {
    const entries = await readdir(directory, { withFileTypes: true });
    this.directories.set(directory, stats.ino);
    const wanted = entries.filter(
      (entry) =>
        !entry.name.startsWith(".") &&
        entry.name !== "node_modules" &&
        (entry.isDirectory() || manifestName.test(entry.name)),
    );
    await Promise.all(wanted.map((entry) => this.#visit(entry, join(directory, entry.name))));
  }

  async #visit(entry: Dirent, path: string): Promise<void> {
    try {
      const found = await stat(path, { bigint: true });
      if (entry.isDirectory() && found.isDirectory()) await this.list(path, found);
      else if (found.isFile()) this.files.push([path, describeFile(found)]);
    } catch (error) {
      // It vanished after its directory was read, or is a dangling link: treated as absent. Any other error is reported.
      if (!isMissing(error)) this.unreadable.set(path, reasonOf(error));
    }
  }
}

function describeFile(stats: BigIntStats): FoundFile {
  return { stamp: `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`, bytes: Number(stats.size) };
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

/** `no such file or directory` and the like, in the system's words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && "errno" in error && typeof error.errno === "number"
    ? getSystemErrorMessage(error.errno)
    : String(error);
}
