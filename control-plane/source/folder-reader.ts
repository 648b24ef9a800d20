/**
 * The current contents of the folders, compared with what was last handed on. It looks only when told to (`folder.ts` decides
 * when), and accepts a deletion only after a while: editors, `git checkout` and `rm -r` all make files vanish for a moment.
 *
 *   seen ──not found──▶ missing ──still not found after the grace──▶ removed
 *     ▲                    │
 *     └──────found─────────┘
 */

import { readFile } from "node:fs/promises";
import type { Clock } from "../../model/clock.ts";
import { type FolderListing, type FoundFile, isMissing, listFolder, reasonOf } from "./folder-listing.ts";
import { type KubeObject, type ObjectKey, objectKey } from "./kube-object.ts";
import { parseManifest } from "./manifest.ts";
import { compareProblems, compareStrings, type Problem } from "./problem.ts";
import type { SourceChange } from "./source.ts";

export interface FolderScan {
  /** Undefined: nothing changed. */
  readonly change: SourceChange | undefined;
  /** All directories to watch, by path, with their inodes. */
  readonly directories: ReadonlyMap<string, bigint>;
  /** Look again after this long, to accept or forget a deletion. Undefined: nothing is missing. */
  readonly recheckMs: number | undefined;
}

/** How long an object is kept after it vanished. */
const graceMs = 200;
/** The same for a folder's last objects: an empty folder is more likely being replaced than intended. */
const lastObjectsGraceMs = 5_000;
/** A larger file is refused unread. */
const maxFileBytes = 4 * 1024 * 1024;

interface FileState {
  /** Undefined: read it again at the next scan. */
  readonly stamp: string | undefined;
  readonly objects: ReadonlyMap<ObjectKey, KubeObject>;
  readonly problems: readonly Problem[];
}

interface RootState {
  files: ReadonlyMap<string, FileState>;
  directories: ReadonlyMap<string, bigint>;
  /** Reports directories that can't be read now, including the root. */
  problems: readonly Problem[];
  /** Since when the folder has held an object, by the clock; undefined: it holds none. */
  populatedSinceMs: number | undefined;
}

interface Published {
  readonly object: KubeObject;
  readonly root: string;
  /** Since when it has been missing, by the clock; undefined: it is there. */
  missingSinceMs: number | undefined;
}

export class FolderReader {
  readonly #clock: Clock;
  readonly #roots: ReadonlyMap<string, RootState>;
  readonly #published = new Map<ObjectKey, Published>();
  #problemsPublished = "[]";

  /** Folders (or single files) in order of precedence: a later one can't redefine what an earlier one defines. */
  constructor(folders: readonly string[], clock: Clock) {
    this.#clock = clock;
    this.#roots = new Map(folders.map((path) => [path, emptyRoot()]));
  }

  /** Scans run one at a time: the caller waits for each before it asks for the next. */
  async scan(): Promise<FolderScan> {
    for (const [path, state] of this.#roots) await this.#scanRoot(path, state);
    const { found, duplicates } = this.#merge();
    const applied = this.#apply(found);
    const { removed, recheckMs } = this.#sweep(found);
    const problems = this.#problems(duplicates);
    const problemsText = JSON.stringify(problems);
    const changed = applied.length > 0 || removed.length > 0 || problemsText !== this.#problemsPublished;
    this.#problemsPublished = problemsText;
    return {
      change: changed ? { applied, removed, problems } : undefined,
      directories: new Map([...this.#roots.values()].flatMap((root) => [...root.directories])),
      recheckMs,
    };
  }

  async #scanRoot(root: string, state: RootState): Promise<void> {
    let listing: FolderListing;
    try {
      listing = await listFolder(root);
    } catch (error) {
      // Its objects stay until it is readable again and says otherwise.
      state.problems = [unreadable(root, reasonOf(error))];
      state.directories = new Map();
      return;
    }
    const files = new Map<string, FileState>();
    for (const [path, found] of listing.files) {
      const before = state.files.get(path);
      const now = before?.stamp === found.stamp ? before : await readState(path, found, before);
      if (now !== undefined) files.set(path, now);
    }
    for (const hidden of listing.unreadable.keys())
      for (const [path, before] of state.files)
        if (path === hidden || path.startsWith(`${hidden}/`)) files.set(path, before);
    state.files = new Map([...files].sort(([a], [b]) => compareStrings(a, b)));
    state.directories = listing.directories;
    state.problems = [...listing.unreadable].map(([path, why]) => unreadable(path, why));
  }

  /** One object per key: the first by folder and file name; the others are reported. */
  #merge(): { found: Map<ObjectKey, Published>; duplicates: Problem[] } {
    const found = new Map<ObjectKey, Published>();
    const duplicates: Problem[] = [];
    for (const [root, state] of this.#roots) {
      for (const file of state.files.values()) {
        for (const [key, object] of file.objects) {
          const first = found.get(key);
          if (first === undefined) found.set(key, { object, root, missingSinceMs: undefined });
          else duplicates.push(duplicate(object, first.object));
        }
      }
    }
    return { found, duplicates };
  }

  #apply(found: ReadonlyMap<ObjectKey, Published>): KubeObject[] {
    const applied: KubeObject[] = [];
    for (const [key, entry] of found) {
      if (this.#published.get(key)?.object !== entry.object) applied.push(entry.object);
      this.#published.set(key, entry);
    }
    return applied;
  }

  #sweep(found: ReadonlyMap<ObjectKey, Published>): { removed: ObjectKey[]; recheckMs: number | undefined } {
    const now = this.#clock.now();
    const populated = new Set([...found.values()].map((entry) => entry.root));
    for (const [path, root] of this.#roots)
      root.populatedSinceMs = populated.has(path) ? (root.populatedSinceMs ?? now) : undefined;
    const removed: ObjectKey[] = [];
    let recheckMs: number | undefined;
    for (const [key, entry] of this.#published) {
      if (found.has(key)) continue;
      entry.missingSinceMs ??= now;
      const populatedSinceMs = this.#roots.get(entry.root)?.populatedSinceMs;
      const believedMs =
        populatedSinceMs === undefined
          ? entry.missingSinceMs + lastObjectsGraceMs
          : Math.max(entry.missingSinceMs, populatedSinceMs) + graceMs;
      const leftMs = believedMs - now;
      if (leftMs <= 0) {
        this.#published.delete(key);
        removed.push(key);
      } else recheckMs = Math.min(recheckMs ?? leftMs, leftMs);
    }
    return { removed: removed.sort(compareStrings), recheckMs };
  }

  #problems(duplicates: readonly Problem[]): Problem[] {
    const states = [...this.#roots.values()];
    return [
      ...states.flatMap((root) => root.problems),
      ...states.flatMap((root) => [...root.files.values()].flatMap((file) => file.problems)),
      ...duplicates,
    ].sort(compareProblems);
  }
}

function emptyRoot(): RootState {
  return { files: new Map(), directories: new Map(), problems: [], populatedSinceMs: undefined };
}

/** Undefined: the file vanished after it was listed. */
async function readState(
  path: string,
  { stamp, bytes }: FoundFile,
  before: FileState | undefined,
): Promise<FileState | undefined> {
  const kept = before?.objects ?? new Map<ObjectKey, KubeObject>();
  if (bytes > maxFileBytes) {
    const message = `is larger than ${maxFileBytes / 1024 / 1024} MiB and was not read`;
    return { stamp, objects: kept, problems: [{ severity: "error", file: path, message }] };
  }
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    return { stamp: undefined, objects: kept, problems: [unreadable(path, reasonOf(error))] };
  }
  const manifest = parseManifest(text, path);
  // A file that was only partly understood deletes nothing: what seems missing may be what could not be read.
  const objects = new Map(manifest.complete ? [] : kept);
  const problems = [...manifest.problems];
  const own = new Map<ObjectKey, KubeObject>();
  for (const object of manifest.objects) {
    const key = objectKey(object);
    const first = own.get(key);
    if (first === undefined) own.set(key, object);
    else problems.push(duplicate(object, first));
  }
  for (const [key, object] of own) objects.set(key, object);
  return { stamp, objects, problems };
}

function duplicate(object: KubeObject, first: KubeObject): Problem {
  const { file, line } = object.origin;
  const name = `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`;
  const message = `${name} is already defined at ${first.origin.file}:${first.origin.line}; this one is ignored`;
  return { severity: "error", file, line, path: "metadata.name", message };
}

function unreadable(path: string, why: string): Problem {
  return { severity: "error", file: path, message: `cannot be read: ${why}` };
}
