import { expect, it } from "vitest";
import type { Locality } from "../../model/endpoint-choice.ts";
import type { Endpoint, Endpoints } from "../../model/resources.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";

/** A caller, and two pods that say who they are. */
async function openMesh(locality: Locality) {
  const mesh = await TestMesh.open();
  const web = await mesh.sidecar("web", { locality });
  const pods: Endpoint[] = [];
  for (const name of ["near", "far"]) {
    const { podIp } = await mesh.sidecar(name);
    await mesh.application(podIp, (_request, response) => response.end(name));
    pods.push(meshed(podIp, name));
  }
  const [near, far] = pods as [Endpoint, Endpoint];
  const tell = (endpoints: readonly Endpoint[], more: Partial<Endpoints> = {}) => {
    mesh.service("orders", endpoints);
    mesh.backend("orders", endpoints, more);
  };
  const ask = async () => {
    const { status, headers, body } = await askThrough(web.podIp, "http://orders/");
    return status === 200 ? body : headers["tulle-error"];
  };
  const asked = async (times = 12) => {
    const answers = new Set<string>();
    for (let i = 0; i < times; i++) answers.add(String(await ask()));
    return [...answers].sort();
  };
  return { mesh, near, far, tell, ask, asked, [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose]() };
}

it("prefers the endpoints for the caller's zone, and goes farther when they are gone", async () => {
  await using mesh = await openMesh({ zone: "west" });
  const { near, far, tell, asked } = mesh;
  tell([
    { ...near, forZones: ["west"] },
    { ...far, forZones: ["east"] },
  ]);
  expect(await asked()).toEqual(["near"]);
  tell([
    { ...near, forZones: ["west"], state: "terminating" },
    { ...far, forZones: ["east"] },
  ]);
  expect(await asked()).toEqual(["far"]);
});

it("stays on the caller's node, even if it has no endpoint", async () => {
  await using mesh = await openMesh({ node: "node-1" });
  const { near, far, tell, asked } = mesh;
  const placed = [
    { ...near, node: "node-1" },
    { ...far, node: "node-2" },
  ];
  tell(placed, { nodeLocal: true });
  expect(await asked()).toEqual(["near"]);
  tell(placed.slice(1), { nodeLocal: true });
  expect(await asked(1)).toEqual(["no_endpoints"]);
  tell(placed.slice(1));
  expect(await asked(1)).toEqual(["far"]);
});

it("keeps a session at one endpoint over updates, as long as that exists", async () => {
  await using mesh = await openMesh({});
  const { near, far, tell, ask, asked } = mesh;
  tell([near, far], { affinityMs: 60_000 });
  const first = await ask();
  expect(await asked()).toEqual([first]);
  tell([near, far], { affinityMs: 30_000 });
  expect(await asked()).toEqual([first]);
  tell(first === "near" ? [far] : [near], { affinityMs: 30_000 });
  expect(await asked()).toEqual([first === "near" ? "far" : "near"]);
});
