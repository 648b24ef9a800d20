/** Takes an order: looks the article up in the catalog, then has it paid. */

import { randomUUID } from "node:crypto";
import { call } from "./call.ts";
import { serve } from "./serve.ts";

await serve("orders", async ({ span }) => {
  const article = await call({ url: "http://catalog/articles/1" }, span);
  if (article.status !== 200) return { status: article.status, json: { error: "catalog", says: article.body } };
  const order = randomUUID();
  const payment = await call(
    {
      method: "POST",
      url: "http://payments/payments",
      // Every try has the same key, so that a payment requested twice is made once.
      headers: { "content-type": "application/json", "idempotency-key": order },
      body: JSON.stringify({ order, cents: 4_200 }),
    },
    span,
  );
  if (payment.status !== 201) return { status: payment.status, json: { error: "payments", says: payment.body } };
  return {
    status: 200,
    json: { order, article: JSON.parse(article.body) as unknown, payment: JSON.parse(payment.body) as unknown },
  };
});
