/**
 * Folders as a source: decides when `FolderReader` looks. Watch events make it fast (a change is handed on in 10 ms, plus the
 * time to look), and periodic scans make it reliable: events get lost, and network file systems send none.
 */

import { type FSWatcher, watch } from "node:fs";
import type { Clock } from "../../model/clock.ts";
import { FolderReader } from "./folder-reader.ts";
import { formatProblem } from "./problem.ts";
import type { SourceChange } from "./source.ts";

export interface FolderSourceOptions {
  /** Folders or single files, in order of precedence. */
  readonly folders: readonly string[];
  readonly onChange: (change: SourceChange) => void;
  /** Ends the watch: no file, watcher or timer stays open. */
  readonly signal: AbortSignal;
  /** The time between two looks without an event. Default 1,000. */
  readonly rescanMs?: number;
}

/** Gives writers that write in several steps this long to finish, from the first event of a burst. */
const settleMs = 10;

const monotonic: Clock = { now: () => performance.now() };

/** Reads once, without watching. Rejects if a folder itself can't be read. */
export async function readFolders(folders: readonly string[]): Promise<SourceChange> {
  const { change } = await new FolderReader(folders, monotonic).scan();
  return refuseUnreadable(folders, change ?? { applied: [], removed: [], problems: [] });
}

/**
 * Resolves once the first state is handed on, and watches until `signal` aborts.
 * Rejects if a folder can't be read at the start; one that becomes unreadable later is a problem in a change.
 */
export async function watchFolders(options: FolderSourceOptions): Promise<void> {
  const watching = new FolderWatch(options);
  await watching.start();
}

function refuseUnreadable(folders: readonly string[], change: SourceChange): SourceChange {
  const unreadable = change.problems.find((problem) => problem.line === undefined && folders.includes(problem.file));
  if (unreadable !== undefined) throw new Error(formatProblem(unreadable));
  return change;
}

class FolderWatch {
  readonly #options: FolderSourceOptions;
  readonly #reader: FolderReader;
  readonly #watchers = new Map<string, { readonly inode: bigint; readonly watcher: FSWatcher }>();
  /** The next look. */
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #scanning = false;

  constructor(options: FolderSourceOptions) {
    this.#options = options;
    this.#reader = new FolderReader(options.folders, monotonic);
  }

  async start(): Promise<void> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    // Watch first, hand on afterwards: an edit in reaction to the first state must not be missed.
    const { change, directories, recheckMs } = await this.#reader.scan();
    const first = refuseUnreadable(this.#options.folders, change ?? { applied: [], removed: [], problems: [] });
    if (signal.aborted) return;
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    this.#watch(directories);
    this.#options.onChange(first);
    // The watchers began after that scan: a second one finds what happened in between.
    this.#lookWithin(Math.min(settleMs, recheckMs ?? settleMs));
  }

  #lookWithin(delayMs: number): void {
    if (this.#options.signal.aborted) return;
    const dueMs = monotonic.now() + delayMs;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    this.#dueMs = Number.POSITIVE_INFINITY;
    // A look that comes due during another one follows it.
    if (this.#scanning) return this.#lookWithin(settleMs);
    this.#scanning = true;
    const { change, directories, recheckMs } = await this.#reader.scan();
    this.#scanning = false;
    if (this.#options.signal.aborted) return;
    this.#watch(directories);
    this.#lookWithin(Math.min(this.#options.rescanMs ?? 1_000, recheckMs ?? Number.POSITIVE_INFINITY));
    if (change !== undefined) this.#options.onChange(change);
  }

  /** One watcher per directory: a recursive watcher breaks when a directory is replaced. */
  #watch(directories: ReadonlyMap<string, bigint>): void {
    for (const [path, { inode, watcher }] of this.#watchers) {
      if (directories.get(path) === inode) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    for (const [path, inode] of directories) {
      if (this.#watchers.has(path)) continue;
      const watcher = openWatcher(path, () => this.#lookWithin(settleMs));
      if (watcher !== undefined) this.#watchers.set(path, { inode, watcher });
    }
  }

  #stop(): void {
    clearTimeout(this.#timer);
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}

/**
 * Undefined if no watcher is available (the directory is gone again, or the kernel has none left): the periodic look suffices.
 */
function openWatcher(path: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, onEvent);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
