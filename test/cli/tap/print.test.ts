import { expect, it } from "vitest";
import type { LiveRequest } from "../../../cli/tap/live-requests.ts";
import { printRequest } from "../../../cli/tap/print.ts";
import { plain } from "../../../cli/terminal.ts";

const fine: LiveRequest = {
  atMs: new Date(2026, 0, 1, 9, 5, 7, 45).getTime(),
  direction: "outbound",
  from: "shop/orders",
  to: "shop/catalog",
  backend: "shop/catalog-v1",
  method: "GET",
  authority: "catalog",
  path: "/articles/1",
  status: 200,
  durationMs: 6.12,
  requestBytes: 0,
  responseBytes: 10,
  attempts: 1,
  pod: "shop/orders-1",
};

it.each([
  ["a request that went well", {}, "200    6.1 ms  shop/orders → shop/catalog (shop/catalog-v1)  GET /articles/1"],
  [
    "one that failed, after some tries",
    { to: "shop/payments", backend: "shop/payments", status: 503, error: "circuit_open", attempts: 3, durationMs: 102 },
    "503    102 ms  shop/orders → shop/payments  GET /articles/1  circuit_open, 3 tries",
  ],
  [
    "one from outside the mesh",
    { from: "", backend: "shop/catalog" },
    "200    6.1 ms  in the clear → shop/catalog  GET /articles/1",
  ],
  [
    "one that nobody answered",
    { status: 0 },
    "  -    6.1 ms  shop/orders → shop/catalog (shop/catalog-v1)  GET /articles/1",
  ],
  [
    "a GraphQL operation",
    { method: "POST", path: "/graphql", operation: "mutation Pay" },
    "200    6.1 ms  shop/orders → shop/catalog (shop/catalog-v1)  POST /graphql (mutation Pay)",
  ],
  [
    "what would clear the terminal",
    { path: "/\u001b[2Ja" },
    "200    6.1 ms  shop/orders → shop/catalog (shop/catalog-v1)  GET /a",
  ],
])("prints %s in one line", (_case, more, line) => {
  expect(printRequest({ ...fine, ...more }, plain)).toBe(`09:05:07.045  ${line}`);
});
