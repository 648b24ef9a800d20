import * as http from "node:http";
import * as fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { meshed, nextPodIp, TestMesh } from "../support/sidecar-pair.ts";
import { TripApplication, trips } from "../support/trips.ts";

/** What the mesh adds to a request on purpose. */
const ours = ["traceparent", "tulle-client-id"];

it("10,000 random exchanges through the mesh are the same as without it, byte for byte", async () => {
  await using mesh = await TestMesh.open();
  const host = nextPodIp();
  const upstream = { host: "orders", port: 80, listenHost: host, listenPort: 9001 };
  await mesh.sidecar("web", { upstreams: [upstream] });
  const orders = await mesh.sidecar("orders");
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  const application = new TripApplication(ours);
  await application.listen(orders.podIp, 8080);
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(() => {
    agent.destroy();
    application.close();
  });

  let compared = 0;
  const batches = fc.array(trips, { minLength: 50, maxLength: 50, size: "max" });
  const property = fc.asyncProperty(batches, async (batch) => {
    const direct = await Promise.all(batch.map((trip) => application.travel(agent, orders.podIp, 8080, trip)));
    const through = await Promise.all(batch.map((trip) => application.travel(agent, host, 9001, trip)));
    expect(through).toEqual(direct);
    compared += batch.length;
  });
  await fc.assert(property, { numRuns: 200, endOnFailure: true });
  expect(compared).toBe(10_000);
}, 120_000);
