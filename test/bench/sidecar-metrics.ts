/** The metrics of the sidecars under test. */

import { parseExposition, type Sample } from "../support/exposition.ts";

const adminPort = 15_020;

/** All series of a sidecar, by metric. */
export async function metricsOf(host: string): Promise<ReadonlyMap<string, readonly Sample[]>> {
  const answer = await fetch(`http://${host}:${adminPort}/metrics`);
  return parseExposition(await answer.text());
}

/** The samples of one metric. */
export async function countersOf(host: string, metric: string): Promise<readonly Sample[]> {
  return (await metricsOf(host)).get(metric) ?? [];
}
