/** Accepts payments, each once, and reports who asked: the identity that the mesh proved, not one that the caller claims. */

import { serve } from "./serve.ts";

interface Payment {
  readonly payment: number;
  readonly client: string;
}

/** By idempotency key; the oldest entries are dropped. */
const made = new Map<string, Payment>();
const remembered = 10_000;
let count = 0;

await serve("payments", ({ method, path, headers }) => {
  const client = String(headers["tulle-client-id"] ?? "");
  if (path === "/whoami") return Promise.resolve({ status: 200, json: { client } });
  const key = headers["idempotency-key"];
  if (method !== "POST" || typeof key !== "string")
    return Promise.resolve({ status: 400, json: { error: "POST with an Idempotency-Key" } });
  const payment = made.get(key) ?? { payment: ++count, client };
  made.set(key, payment);
  const oldest = made.keys().next().value;
  if (made.size > remembered && oldest !== undefined) made.delete(oldest);
  return Promise.resolve({ status: 201, json: payment });
});
