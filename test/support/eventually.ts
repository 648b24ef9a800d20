import { setTimeout as sleep } from "node:timers/promises";

/** Polls until a condition of the outside world holds, at most `withinMs`; for changes that no event announces. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const giveUpAtMs = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${withinMs} ms: ${holds.toString()}`);
    await sleep(20);
  }
}
