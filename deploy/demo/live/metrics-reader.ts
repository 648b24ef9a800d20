/** Reads the metrics of all sidecars of a mesh, over HTTP as Prometheus would. */

import { sidecarPorts } from "../../../cli/dev/addresses.ts";
import { parseExposition, type Sample } from "./exposition.ts";
import type { Reading } from "./picture.ts";

const patienceMs = 1_000;

/** A sidecar that does not answer is left out. */
export async function readMetrics(podIPs: readonly string[]): Promise<Reading> {
  const samples = await Promise.all(podIPs.map(readPod));
  return { atMs: performance.now(), samples: samples.flat() };
}

async function readPod(podIP: string): Promise<readonly Sample[]> {
  try {
    const url = `http://${podIP}:${sidecarPorts.admin}/metrics`;
    const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs) });
    return response.ok ? parseExposition(await response.text()) : [];
  } catch {
    return [];
  }
}

/**
 * The readings of at least the last `windowMs`, oldest first. It starts again when a split's weights change, so that what it
 * shows is the effect of the new weights.
 */
export class ReadingWindow {
  readonly #windowMs: number;
  #readings: readonly Reading[] = [];
  #weights = "";

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(reading: Reading): void {
    const weights = weightsOf(reading);
    const changed = weights !== this.#weights;
    this.#weights = weights;
    // Keeps the newest of the readings that are old enough, however far apart readings are.
    const from = this.#readings.findLastIndex(({ atMs }) => atMs <= reading.atMs - this.#windowMs);
    this.#readings = changed ? [reading] : [...this.#readings.slice(Math.max(from, 0)), reading];
  }

  /** The oldest and the newest reading. */
  get ends(): readonly [before: Reading, now: Reading] | undefined {
    const before = this.#readings[0];
    const now = this.#readings.at(-1);
    return before === undefined || now === undefined || before === now ? undefined : [before, now];
  }
}

function weightsOf({ samples }: Reading): string {
  const weights = samples.filter(({ name }) => name === "tulle_split_weight");
  return JSON.stringify(weights.map(({ labels, value }) => [...labels.values(), value].join(" ")).sort());
}
