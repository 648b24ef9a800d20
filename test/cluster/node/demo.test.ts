/**
 * The demo shop in a cluster, as in docs/install.md, with its own visitors: they report every ten seconds what answers they
 * got.
 */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { counted, eventually, kubectl, readObject, rolledOut } from "./cluster.ts";

const shop = "shop";
const steadyWithinMs = 120_000;
const files = ["shop.yaml", "policies.yaml"].map((file) => join(import.meta.dirname, "../../../deploy/demo", file));

interface Policy {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

beforeAll(async () => {
  await kubectl("apply", ...files.flatMap((file) => ["-f", file]));
  await rolledOut(shop, "web", "orders", "payments", "catalog-v1", "catalog-v2", "load");
});

afterAll(async () => {
  await kubectl("delete", "namespace", shop, "--wait=false");
});

it("takes all of its policies", async () => {
  const kinds = "trafficsplits,retrypolicies,timeoutpolicies,circuitbreakers";
  const policies = await eventually("programmed policies", async () => {
    const { items } = await readObject<{ readonly items: readonly Policy[] }>("-n", shop, kinds);
    const holds = ({ status }: Policy) => {
      const conditions = status?.conditions?.filter(({ type }) => type === "Accepted" || type === "Programmed") ?? [];
      return conditions.length === 2 && conditions.every((condition) => condition.status === "True");
    };
    return items.every(holds) ? items : undefined;
  });
  expect(policies).toHaveLength(5);
});

it("answers every visitor, though one request in ten fails in the canary", async () => {
  // While a shop opens, and pods of other scenarios start beside it, some visitors are told so.
  await eventually(
    "two reports in a row of nothing but answers",
    async () => {
      const said = await kubectl("-n", shop, "logs", "deployment/load", "-c", "load", "--tail=2");
      return /^200: \d+\n200: \d+$/.test(said.trim()) ? true : undefined;
    },
    steadyWithinMs,
  );
  const split = (backend: string) => counted(shop, "app=orders", "tulle_split_requests_total", { backend });
  const [stable, canary] = await Promise.all([split("shop/catalog-v1"), split("shop/catalog-v2")]);
  expect(canary / (stable + canary)).toBeGreaterThan(0.05);
  expect(canary / (stable + canary)).toBeLessThan(0.2);
  expect(await counted(shop, "app=orders", "tulle_retries_total", { reason: "503" })).toBeGreaterThan(0);
});
