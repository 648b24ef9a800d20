/** Failures above the data path, and what traffic notices of them: nothing. */

import { setTimeout as sleep } from "node:timers/promises";
import type { MeshEvent } from "../../../cli/dev/mesh-event.ts";
import { parseExposition } from "../live/exposition.ts";
import type { Claim } from "./claim.ts";
import { type Answer, askMany, askOn } from "./client.ts";
import { catalogs, type Shop, until } from "./shop.ts";

const parallel = 8;
const adminPort = 15020;
const flakyPercent = 10;

export const refusesTypo: Claim = {
  name: "typo_refused",
  title: "a typo is refused, the old policy stays",
  async prove(shop: Shop) {
    const requests = 500;
    const restore = shop.editPolicies("maxAttempts", "maxAttemps");
    try {
      await until("a message about maxAttemps", () => shop.events.some(isAbout("problem")));
      await shop.trouble(catalogs, { failPercent: flakyPercent });
      const answers = await askMany(shop.askCatalog, requests, parallel);
      const failed = answers.filter(({ status }) => status !== 200).length;
      const text = shop.events.find(isAbout("problem"))?.text.replace(/^\S*\//, "") ?? "";
      return {
        ok: text.startsWith("policies.yaml:") && text.includes("spec.maxAttemps") && failed <= requests / 200,
        says: `"${text}"; ${failed} of ${requests} requests to a backend that fails 1 in 10 fail`,
        figures: { message: text, requests, failed },
      };
    } finally {
      restore();
      await shop.trouble(catalogs, { failPercent: 0 });
      await until("the message to be withdrawn", () => shop.events.some(isAbout("solved")));
    }
  },
};

function isAbout<K extends "problem" | "solved">(kind: K) {
  return (event: MeshEvent): event is Extract<MeshEvent, { kind: K }> =>
    event.kind === kind && "text" in event && event.text.includes("maxAttemps");
}

export const outlivesControlPlane: Claim = {
  name: "control_plane_restart",
  title: "the control plane may die and return",
  async prove(shop: Shop) {
    const downMs = 2_000;
    const { controlPlane } = shop.mesh;
    const asking = askOn(() => paced(shop.askCatalog), parallel);
    let answers: readonly Answer[] = [];
    try {
      await controlPlane.lose();
      await until("sidecars notice", async () => (await connectedSidecars(shop)) === 0);
      await sleep(downMs);
      controlPlane.restore();
      await until(
        "all sidecars hear it again",
        async () => (await connectedSidecars(shop)) === shop.mesh.pods.length,
        20_000,
      );
      // It is really back if an edit still takes effect: all of the catalog's traffic to v2.
      shop.editPolicies(/(?<=catalog-v1, weight: )\d+/, "0");
      await until("an edit is followed", async () => {
        const seen = await askMany(shop.askCatalog, 30, parallel);
        return seen.every(({ body }) => body.includes('"v2"'));
      });
    } finally {
      controlPlane.restore();
      answers = await asking.stop();
    }
    const failed = answers.filter(({ status }) => status !== 200).length;
    return {
      ok: answers.length > 0 && failed === 0,
      says: `killed, gone for ${downMs / 1_000} s, back and followed again; ${failed} of ${answers.length} requests failed`,
      figures: { requests: answers.length, failed, downMs },
    };
  },
};

/** Pauses after each answer: steady traffic that leaves the machine room for what is being tested. */
async function paced(ask: () => Promise<Answer>): Promise<Answer> {
  const answer = await ask();
  await sleep(20);
  return answer;
}

async function connectedSidecars(shop: Shop): Promise<number> {
  const states = await Promise.all(
    shop.mesh.pods.map(async ({ identity }) => {
      const { body } = await shop.client.direct({ url: `http://${identity.podIP}:${adminPort}/metrics` });
      return parseExposition(body).find(({ name }) => name === "tulle_control_stream_connected")?.value ?? 0;
    }),
  );
  return states.filter((value) => value === 1).length;
}
