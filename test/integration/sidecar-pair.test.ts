import { expect, it } from "vitest";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";

it("carries a request through two sidecars, and tells the application who calls", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (request, response) => {
    response.setHeader("x-seen", JSON.stringify(request.headers));
    response.end(`${request.method} ${request.url}`);
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);

  const answer = await askThrough(web.podIp, "http://orders/items?id=42", {
    headers: { "tulle-client-id": "spiffe://cluster.local/ns/shop/sa/admin", "x-forwarded-for": "1.2.3.4" },
  });

  expect(answer.status).toBe(200);
  expect(answer.body).toBe("GET /items?id=42");
  const seen = JSON.parse(String(answer.headers["x-seen"])) as Record<string, string>;
  expect(seen).toMatchObject({
    host: "orders",
    "tulle-client-id": "spiffe://cluster.local/ns/shop/sa/web",
    "x-forwarded-for": "1.2.3.4",
  });
  expect(seen["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  expect(Object.keys(seen).filter((name) => name.startsWith("tulle-"))).toEqual(["tulle-client-id"]);
});
