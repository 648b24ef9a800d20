/** The canary: shares follow the policy file, also soon after an edit. */

import type { Claim } from "./claim.ts";
import { type Answer, askMany, askOn } from "./client.ts";
import type { Shop } from "./shop.ts";
import { until } from "./shop.ts";
import { boundPercent, changePoint } from "./statistics.ts";

const requests = 2_000;
const parallel = 16;
const wantedBefore = 0.1;
const wantedAfter = 0.5;
const soonMs = 1_000;
/** The number of answers with the new weights to collect before locating the change. */
const answersAfterEdit = 600;

export const splits: Claim = {
  name: "split",
  title: "catalog is split 90/10",
  async prove(shop: Shop) {
    const share = shareOfV2(await askMany(shop.askCatalog, requests, parallel));
    const bound = boundPercent(wantedBefore, requests);
    return {
      ok: Math.abs(share - 100 * wantedBefore) <= bound,
      says: `${share.toFixed(2)} % of ${requests} answers are v2's; allowed 10 ± ${bound.toFixed(2)}`,
      figures: { requests, v2Percent: share, allowedDeviation: bound },
    };
  },
};

/** Leaves the split at 50/50. */
export const followsEdit: Claim = {
  name: "edit_applied",
  title: "an edit to 50/50 is followed",
  async prove(shop: Shop) {
    const answers: Answer[] = [];
    const asking = askOn(async () => {
      const answer = await shop.askCatalog();
      answers.push(answer);
      return answer;
    }, parallel);
    let editedAtMs = 0;
    try {
      await until("traffic before the edit", () => answers.length >= 100);
      editedAtMs = performance.now();
      shop.editPolicies(/weight: 90([^]*?)weight: 10/, "weight: 50$1weight: 50");
      const answeredBefore = answers.length;
      await until("traffic after the edit", () => answers.length >= answeredBefore + answersAfterEdit);
      await until("a second to pass", () => performance.now() - editedAtMs > soonMs + 200);
    } finally {
      await asking.stop();
    }
    const since = answers
      .filter(({ startedAtMs }) => startedAtMs >= editedAtMs)
      .sort((a, b) => a.startedAtMs - b.startedAtMs);
    const at = changePoint(since.map(isV2), wantedBefore, wantedAfter);
    const changed = at === undefined ? undefined : since[at];
    const delayMs = changed === undefined ? Number.NaN : changed.startedAtMs - editedAtMs;
    const share = shareOfV2(await askMany(shop.askCatalog, requests, parallel));
    const bound = boundPercent(wantedAfter, requests);
    return {
      ok: delayMs <= soonMs && Math.abs(share - 100 * wantedAfter) <= bound,
      says: `behaviour changed after ${delayMs.toFixed(0)} ms; then ${share.toFixed(2)} % of ${requests} are v2's; allowed 50 ± ${bound.toFixed(2)}`,
      figures: { delayMs, requests, v2Percent: share, allowedDeviation: bound },
    };
  },
};

function isV2({ body }: Answer): boolean {
  return body.includes('"version":"v2"');
}

/** In percent. Throws if any answer is from neither version: shares among failures mean nothing. */
function shareOfV2(answers: readonly Answer[]): number {
  const strange = answers.find(({ status, body }) => status !== 200 || !/"version":"v[12]"/.test(body));
  if (strange !== undefined) throw new Error(`catalog answered ${strange.status}: ${strange.body}`);
  return (100 * answers.filter(isV2).length) / answers.length;
}
