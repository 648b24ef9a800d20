/** What processes cost, by the kernel's own accounting: CPU time from schedstat, memory from smaps_rollup (proc(5)). */

import { readdirSync, readFileSync } from "node:fs";

export interface Memory {
  /** MB of both proxies together: with shared pages in full, in shares, and not at all. */
  readonly rss: number;
  readonly pss: number;
  readonly private: number;
}

/** CPU nanoseconds of these processes and of all that they forked, over all threads, since they were started. */
export function cpuNs(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids.flatMap(withDescendants)) {
    for (const task of list(`/proc/${pid}/task`)) sum += firstNumber(read(`/proc/${pid}/task/${task}/schedstat`));
  }
  return sum;
}

export function memoryOf(pids: readonly number[]): Memory {
  const rollups = pids.flatMap(withDescendants).map((pid) => read(`/proc/${pid}/smaps_rollup`));
  const mb = (field: string): number => {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB`, "m");
    return rollups.reduce((sum, text) => sum + Number(line.exec(text)?.[1] ?? 0), 0) / 1_024;
  };
  return { rss: mb("Rss"), pss: mb("Pss"), private: mb("Private_Dirty") };
}

function withDescendants(pid: number): number[] {
  const children = list(`/proc/${pid}/task`).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(withDescendants)];
}

function firstNumber(text: string): number {
  return Number.parseInt(text, 10) || 0;
}

// A thread may end between two reads; it then counts as zero.
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
