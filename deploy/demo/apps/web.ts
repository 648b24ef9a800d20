/** The shop's front door: every visit places an order. */

import { call } from "./call.ts";
import { serve } from "./serve.ts";

await serve("web", async ({ path, span }) => {
  if (path !== "/") return { status: 404, json: { error: "not found" } };
  const order = await call({ url: "http://orders/orders/new" }, span);
  return { status: order.status, json: { order: JSON.parse(order.body) as unknown } };
});
