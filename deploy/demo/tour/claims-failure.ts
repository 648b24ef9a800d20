/** What callers notice of backends that fail, are slow, or die. */

import { parseExposition } from "../live/exposition.ts";
import type { Claim } from "./claim.ts";
import { type Answer, askMany } from "./client.ts";
import { catalogs, type Shop, until } from "./shop.ts";
import { boundPercent, percentile } from "./statistics.ts";

const requests = 1_000;
const parallel = 8;
const flakyShare = 0.1;
const adminPort = 15020;

export const hidesFlakiness: Claim = {
  name: "retries",
  title: "retries hide a flaky backend",
  async prove(shop: Shop) {
    await shop.trouble(catalogs, { failPercent: 100 * flakyShare });
    let restore = () => {};
    try {
      const withRetries = failedPercent(await askMany(shop.askCatalog, requests, parallel));
      restore = withoutRetries(shop);
      await until("503s without the policy", async () => (await shop.askCatalog()).status === 503);
      const without = failedPercent(await askMany(shop.askCatalog, requests, parallel));
      const bound = boundPercent(flakyShare, requests);
      return {
        ok: withRetries <= 0.5 && Math.abs(without - 100 * flakyShare) <= bound,
        says: `${withRetries.toFixed(1)} % of ${requests} requests fail with the RetryPolicy, ${without.toFixed(1)} % without it`,
        figures: { requests, failedPercentWith: withRetries, failedPercentWithout: without },
      };
    } finally {
      restore();
      await shop.trouble(catalogs, { failPercent: 0 });
    }
  },
};

/** Points the catalog's RetryPolicy at another Service. */
function withoutRetries(shop: Shop): () => void {
  return shop.editPolicies(
    /(?<=kind: RetryPolicy\nmetadata: \{ name: catalog,[^]*?kind: Service, name: )catalog/,
    "web",
  );
}

export const cutsSlowness: Claim = {
  name: "timeout",
  title: "a slow backend is cut off",
  async prove(shop: Shop) {
    // Fewer than the breaker's threshold, because this tests the timeout.
    const count = 4;
    await shop.trouble(catalogs, { delayMs: 3_000 });
    let slow: readonly Answer[];
    try {
      slow = await askMany(shop.askCatalog, count, count);
    } finally {
      await shop.trouble(catalogs, { delayMs: 0 });
    }
    const tookMs = slow.map((answer) => answer.tookMs);
    const median = percentile(tookMs, 0.5);
    const answers = [
      ...new Set(slow.map(({ status, headers }) => `${status} ${String(headers["tulle-error"])}`)),
    ].sort();
    // The remaining time travels with the request, so either side may be the first to see that it is over.
    const rightly = answers.every((answer) => ["504 request_timeout", "504 deadline_exceeded"].includes(answer));
    const onTime = tookMs.every((ms) => ms >= 950 && ms < 2_000);
    return {
      ok: slow.length === count && rightly && onTime,
      says: `${answers.join(" and ")} after ${median.toFixed(0)} ms; the limit is 1 s, the backend takes 3 s`,
      figures: { requests: count, answers: answers.join(", "), medianMs: median, worstMs: Math.max(...tookMs) },
    };
  },
};

export const tripsBreaker: Claim = {
  name: "breaker",
  title: "a dead endpoint opens its breaker",
  async prove(shop: Shop) {
    const dead = shop.pods("catalog-v1").at(-1);
    if (dead === undefined) throw new Error("catalog-v1 has no pod");
    const endpoint = `${dead.identity.podIP}:8080`;
    // An earlier claim may have caused five failures in a row by chance: with another endpoint open too, nobody would be left
    // to answer.
    await until("every breaker of the catalog is closed", async () => {
      await askMany(shop.askCatalog, 20, parallel);
      const states = await breakerStates(shop, () => true);
      return states.every((state) => state === "closed");
    });
    const before = await breakerState(shop, endpoint);
    await dead.lose();
    let answers: readonly Answer[];
    let state: string;
    try {
      answers = await askMany(shop.askCatalog, requests, parallel);
      state = await breakerState(shop, endpoint);
    } finally {
      dead.restore();
    }
    const restoredAtMs = performance.now();
    const isDead = ({ body }: Answer) => body.includes(`"pod":"${dead.identity.podIP}"`);
    await until("the endpoint serves again", async () => (await askMany(shop.askCatalog, 20, parallel)).some(isDead));
    const backAfterMs = performance.now() - restoredAtMs;
    const failed = failedPercent(answers);
    // An open breaker becomes half-open to try the endpoint, and may then open again.
    const tripped = (at: string) => at === "open" || at === "half-open";
    return {
      ok: !tripped(before) && tripped(state) && failed === 0 && !answers.some(isDead),
      says: `${endpoint} is ${state}; ${failed.toFixed(1)} % of ${requests} requests fail${reasonsOf(answers)}; it serves again ${(backAfterMs / 1_000).toFixed(1)} s after its return`,
      figures: { requests, failedPercent: failed, before, state, backAfterMs },
    };
  },
};

/** The worst state of one endpoint's breakers: it may be behind several Services. */
async function breakerState(shop: Shop, endpoint: string): Promise<string> {
  const states = await breakerStates(shop, (labels) => labels.get("endpoint") === endpoint);
  return ["open", "half-open", "closed"].find((state) => states.includes(state)) ?? "not there";
}

/** As exposed in the metrics of orders' sidecar, which anybody may read. */
async function breakerStates(
  shop: Shop,
  wanted: (labels: ReadonlyMap<string, string>) => boolean,
): Promise<readonly string[]> {
  const answer = await shop.client.direct({ url: `http://${shop.podIP("orders")}:${adminPort}/metrics` });
  return parseExposition(answer.body)
    .filter(({ name, labels }) => name === "tulle_breaker_state" && wanted(labels))
    .map(({ value }) => ["closed", "half-open", "open"][value] ?? String(value));
}

/** ` (503 circuit_open × 12)`; empty if none failed. */
function reasonsOf(answers: readonly Answer[]): string {
  const counts = new Map<string, number>();
  for (const { status, headers } of answers) {
    if (status === 200) continue;
    const reason = `${status} ${String(headers["tulle-error"] ?? "of the application")}`;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const reasons = [...counts].map(([reason, count]) => `${reason} × ${count}`);
  return reasons.length === 0 ? "" : ` (${reasons.join(", ")})`;
}

/** Throws on an empty list: no request, no proof. */
function failedPercent(answers: readonly Answer[]): number {
  if (answers.length === 0) throw new Error("not one request was made");
  return (100 * answers.filter(({ status }) => status !== 200).length) / answers.length;
}
