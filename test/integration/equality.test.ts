import * as http from "node:http";
import * as fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { Http2TripApplication } from "../support/http2-trips.ts";
import { TestMesh as Mesh, meshed, nextPodIp, type TestMesh } from "../support/sidecar-pair.ts";
import { type Trip, TripApplication, trips } from "../support/trips.ts";

/** What the mesh adds to a request on purpose. */
const ours = ["traceparent", "tulle-client-id"];
const applicationPort = 8080;
const upstreamPort = 9001;

/** Where the application is, and what leads to it through two sidecars. */
async function openPair(mesh: TestMesh): Promise<{ readonly direct: string; readonly through: string }> {
  const through = nextPodIp();
  const upstream = { host: "orders", port: 80, listenHost: through, listenPort: upstreamPort };
  await mesh.sidecar("web", { upstreams: [upstream] });
  const { podIp: direct } = await mesh.sidecar("orders", { port: applicationPort });
  mesh.service("orders", [meshed(direct, "orders", applicationPort)]);
  return { direct, through };
}

const batchSize = 50;

/** Makes `count` trips, in batches, so that many are under way at the same time. Returns how many were the same. */
async function compare(
  count: number,
  travelDirect: (trip: Trip) => Promise<unknown>,
  travelThrough: (trip: Trip) => Promise<unknown>,
): Promise<number> {
  let compared = 0;
  const batches = fc.array(trips, { minLength: batchSize, maxLength: batchSize, size: "max" });
  const property = fc.asyncProperty(batches, async (batch) => {
    const direct = await Promise.all(batch.map(travelDirect));
    expect(await Promise.all(batch.map(travelThrough))).toEqual(direct);
    compared += batch.length;
  });
  await fc.assert(property, { numRuns: count / batchSize, endOnFailure: true });
  return compared;
}

it("10,000 random exchanges through the mesh are the same as without it, byte for byte", async () => {
  await using mesh = await Mesh.open();
  const { direct, through } = await openPair(mesh);
  const application = new TripApplication(ours);
  await application.listen(direct, applicationPort);
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(() => {
    agent.destroy();
    application.close();
  });
  const same = await compare(
    10_000,
    (trip) => application.travel(agent, direct, applicationPort, trip),
    (trip) => application.travel(agent, through, upstreamPort, trip),
  );
  expect(same).toBe(10_000);
}, 120_000);

it("2,500 random HTTP/2 exchanges are the same too, including the request's trailers", async () => {
  await using mesh = await Mesh.open();
  const { direct, through } = await openPair(mesh);
  const application = new Http2TripApplication(ours);
  await application.listen(direct, applicationPort);
  onTestFinished(() => application.close());
  const [around, across] = [
    await application.connect(direct, applicationPort),
    await application.connect(through, upstreamPort),
  ];
  const same = await compare(
    2_500,
    (trip) => application.travel(around, trip),
    (trip) => application.travel(across, trip),
  );
  expect(same).toBe(2_500);
}, 120_000);
