/**
 * Shows a running mesh until it is told to stop: on a terminal as a screen that is redrawn, elsewhere as plain lines. It
 * observes the mesh from outside, through what any Prometheus could read.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { WriteStream } from "node:tty";
import type { Mesh } from "../../../cli/dev/mesh.ts";
import { paintFor } from "../../../cli/terminal.ts";
import type { DemoEvents } from "./demo-events.ts";
import { ReadingWindow, readMetrics } from "./metrics-reader.ts";
import { drawPicture, type Reading } from "./picture.ts";
import { drawLine, drawScreen } from "./screen.ts";

const windowMs = 3_000;
const screenEveryMs = 500;
const linesEveryMs = 3_000;
/** The delay after a first look, which has nothing to compare with. */
const firstLookMs = 250;

const screenOn = "\u001b[?1049h\u001b[?25l";
const screenOff = "\u001b[?25h\u001b[?1049l";
const home = "\u001b[H";
const clearToLineEnd = "\u001b[K";
const clearToScreenEnd = "\u001b[J";

export interface LiveViewOptions {
  readonly mesh: Mesh;
  readonly events: DemoEvents;
  readonly output: WriteStream;
  readonly policyFile: string;
  readonly signal: AbortSignal;
}

export async function showLiveView(options: LiveViewOptions): Promise<void> {
  const { output } = options;
  if (!output.isTTY) return loop(options, linesEveryMs, (lines) => output.write(`${lines.join("\n")}\n`));
  const restore = () => output.write(screenOff);
  process.once("exit", restore);
  output.write(screenOn);
  try {
    await loop(options, screenEveryMs, (lines) => {
      output.write(`${home}${lines.map((line) => line + clearToLineEnd).join("\n")}${clearToScreenEnd}`);
    });
  } finally {
    process.off("exit", restore);
    restore();
  }
}

async function loop(
  options: LiveViewOptions,
  everyMs: number,
  write: (lines: readonly string[]) => void,
): Promise<void> {
  const { mesh, events, output, policyFile, signal } = options;
  const startedAtMs = performance.now();
  const window = new ReadingWindow(windowMs);
  while (!signal.aborted) {
    window.add(await readMetrics(mesh.pods.map(({ identity }) => identity.podIP)));
    const ends = window.ends;
    if (ends !== undefined) {
      const picture = drawPicture(...ends, Date.now());
      const upMs = performance.now() - startedAtMs;
      const { lines, problems } = events;
      const input = { picture, upMs, events: lines, problems: [...problems], windowMs: seenForMs(ends), policyFile };
      const size = { columns: output.columns ?? 80, rows: output.rows ?? 24 };
      write(output.isTTY ? drawScreen(input, size, paintFor(output, process.env)) : [drawLine(input)]);
    }
    await sleep(ends === undefined ? firstLookMs : everyMs, undefined, { signal }).catch(() => undefined);
  }
}

function seenForMs([before, now]: readonly [Reading, Reading]): number {
  return now.atMs - before.atMs;
}
