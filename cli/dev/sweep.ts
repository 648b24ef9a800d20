/** Ends every process that still carries a mesh's mark. */

import { setTimeout as sleep } from "node:timers/promises";
import { markedProcesses } from "./process-table.ts";

const pollMs = 50;

/**
 * Ends every process with this mark: SIGTERM, then SIGKILL to those still there after `graceMs`. It repeats until two checks in
 * a row find nobody: a process that was being forked during one shows up in the next.
 */
export async function sweep(mark: string, graceMs: number): Promise<void> {
  const startedAtMs = performance.now();
  const asked = new Set<number>();
  for (let emptyLooks = 0; emptyLooks < 2; ) {
    const pids = markedProcesses(mark).filter((pid) => pid !== process.pid);
    emptyLooks = pids.length === 0 ? emptyLooks + 1 : 0;
    const patient = performance.now() - startedAtMs < graceMs;
    for (const pid of pids) {
      if (!patient) signalIfAlive(pid, "SIGKILL");
      else if (!asked.has(pid)) signalIfAlive(pid, "SIGTERM");
      asked.add(pid);
    }
    await sleep(pollMs);
  }
}

/** Sends a signal to a process, or to a group if negative; false if there is none. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
