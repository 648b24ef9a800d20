/**
 * The Deployments of a folder as they are now. It polls file times instead of listening for events, which editors, WSL mounts
 * and deleted folders make unreliable; the control plane, which has to be quick, watches the same folder by itself.
 *
 * A file that can't be parsed keeps the Deployments it had: the control plane says what is wrong with it.
 */

import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { parseAllDocuments } from "yaml";
import { systemErrorCode, UsageError } from "../usage-error.ts";
import { type DevDeployment, type Fields, isDeployment, readDeployment, readName } from "./deployments.ts";

export interface FolderContent {
  /** By `namespace/name`. */
  readonly deployments: ReadonlyMap<string, DevDeployment>;
  /** `apps.yaml Deployment shop/web spec.replicas: must be …`. */
  readonly errors: readonly string[];
}

interface KnownFile {
  readonly stamp: string;
  readonly objects: readonly Fields[];
}

const readable = /\.(ya?ml|json)$/;
/** Aliases that a document may expand to: enough for people, too few for a bomb. */
const maxAliasCount = 100;

export class DeploymentFolder {
  readonly #root: string;
  readonly #files = new Map<string, KnownFile>();
  /** What an object said before somebody broke it stays in force. */
  readonly #lastGood = new Map<string, DevDeployment>();

  /** Throws `UsageError` if the folder can't be read. */
  constructor(root: string) {
    this.#root = root;
    listFiles(root);
  }

  /** Reads what changed since the last call; undefined if nothing did. A folder that is gone for now changes nothing. */
  poll(): FolderContent | undefined {
    let paths: readonly string[];
    try {
      paths = listFiles(this.#root);
    } catch {
      return undefined;
    }
    const vanished = [...this.#files.keys()].filter((path) => !paths.includes(path));
    for (const path of vanished) this.#files.delete(path);
    const changed = paths.filter((path) => this.#reread(path));
    return vanished.length + changed.length > 0 ? this.#content() : undefined;
  }

  #reread(path: string): boolean {
    const known = this.#files.get(path);
    try {
      const { mtimeMs, size, ino } = statSync(path);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      if (known?.stamp === stamp) return false;
      this.#files.set(path, { stamp, objects: readObjects(path) ?? known?.objects ?? [] });
      return true;
    } catch {
      // Between listing and reading an editor may have moved it: the next poll sees what became of it.
      return false;
    }
  }

  #content(): FolderContent {
    const deployments = new Map<string, DevDeployment>();
    const errors: string[] = [];
    for (const [path, { objects }] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1)))
      for (const object of objects) {
        const key = keyOf(object);
        const read = readDeployment(object);
        if (!read.ok) {
          const where = `${relative(this.#root, path)} Deployment ${key}`;
          errors.push(...read.error.map((error) => `${where} ${error.path}: ${error.message}`));
        }
        const deployment = read.ok ? read.value : this.#lastGood.get(key);
        if (deployment !== undefined && !deployments.has(key)) deployments.set(key, deployment);
      }
    for (const [key, deployment] of deployments) this.#lastGood.set(key, deployment);
    return { deployments, errors };
  }
}

function readObjects(path: string): readonly Fields[] | undefined {
  const documents = parseAllDocuments(readFileSync(path, "utf8"));
  if (!Array.isArray(documents) || documents.some((document) => document.errors.length > 0)) return undefined;
  const roots = documents.map((document) => {
    const root: unknown = document.toJS({ maxAliasCount });
    return root;
  });
  return roots.flatMap((root) => (isList(root) ? root.items : [root])).filter(isDeployment);
}

function isList(root: unknown): root is { readonly items: readonly unknown[] } {
  return typeof root === "object" && root !== null && "items" in root && Array.isArray(root.items);
}

function keyOf(object: Fields): string {
  const { namespace, name } = readName(object);
  return `${namespace}/${name ?? "(no name)"}`;
}

function listFiles(folder: string): readonly string[] {
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    throw new UsageError(`${folder}: ${folderTrouble(error)}`, { cause: error });
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return readable.test(entry.name) ? [path] : [];
    return entry.name === "node_modules" || entry.name.startsWith(".") ? [] : listFiles(path);
  });
}

const troubles: Readonly<Record<string, string>> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "is not a folder",
  EACCES: "may not be read by this user",
};

function folderTrouble(error: unknown): string {
  return troubles[systemErrorCode(error) ?? ""] ?? String(error);
}
