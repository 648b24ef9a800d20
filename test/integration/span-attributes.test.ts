/** What spans of real sidecars say of the mesh's own decisions. */

import { expect, it } from "vitest";
import { defaultCircuitBreakerPolicy } from "../../model/defaults.ts";
import type { Span } from "../../sidecar/telemetry/span.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";

const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;

it("names the versions of both ends' policies, and the breaker's state at each try", async () => {
  await using mesh = await TestMesh.open();
  const recorded: Span[] = [];
  const spans = { push: (span: Span) => void recorded.push(span) };
  const [web, orders] = [await mesh.sidecar("web", { spans }), await mesh.sidecar("orders", { spans })];
  await mesh.application(orders.podIp, (_request, response) => response.writeHead(500).end());
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  const breaker = { ...defaultCircuitBreakerPolicy, failureThreshold: 1, openDurationMs: 60_000 };
  mesh.backend("orders", [meshed(orders.podIp, "orders")], { breaker });

  const ask = async () => (await askThrough(web.podIp, "http://orders/", { headers: { traceparent } })).status;
  expect([await ask(), await ask()]).toEqual([500, 503]);
  const said = recorded.map(({ kind, attributes }) => [
    kind,
    attributes["tulle.attempt"],
    attributes["tulle.breaker_state"],
    attributes["tulle.policy_version"],
  ]);
  // Resources are versions as they were set: the two workloads' own, the endpoints, the destination, the endpoints again.
  expect(said).toHaveLength(5);
  expect(said).toEqual(
    expect.arrayContaining([
      ["server", undefined, undefined, "v2"],
      ["client", 1, "closed", undefined],
      ["client", undefined, "closed", "v4"],
      ["client", 1, "open", undefined],
      ["client", undefined, "open", "v4"],
    ]),
  );
});
