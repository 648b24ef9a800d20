/** The `tulle` command against a whole cluster: through the API server into pods, as from a user's machine. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Section } from "../../../cli/check/this-machine.ts";
import type { Explanation } from "../../../cli/explain/explanation.ts";
import type { LiveRequest } from "../../../cli/tap/live-requests.ts";
import type { Versions } from "../../../cli/version.ts";
import type { MeshView } from "../../../control-plane/dashboard/mesh-view.ts";
import { version } from "../../../system/version.ts";
import { apply, deployment, eventually, kubectl, namespace, readObject, rolledOut, service, tulle } from "./cluster.ts";

const name = "cli";
const main = join(import.meta.dirname, "../../../cli/main.ts");

beforeAll(async () => {
  await apply([
    ...namespace(name, true),
    service(name, "server", { app: "server" }),
    ...deployment({ namespace: name, name: "server", program: "server" }),
    ...deployment({ namespace: name, name: "client", program: "client", env: { URL: "http://server/", RATE: "20" } }),
  ]);
  await rolledOut(name, "server", "client");
}, 120_000);
afterAll(() => kubectl("delete", "namespace", name, "--wait=false"));

/** Of these, other scenarios make what is to be found, at the same time. */
const ofPods = ["sidecars", "pods without a sidecar", "interception", "network policies", "protocols"];

it("finds the mesh well", async () => {
  const sections = JSON.parse(await tulle("check", "-o", "json")) as Section[];
  const failed = sections.flatMap(({ check, findings }) =>
    findings
      .filter(({ verdict, says }) => verdict === "fail" && (!ofPods.includes(check) || says.includes(`${name}/`)))
      .map(({ says }) => `${check}: ${says}`),
  );
  expect(failed).toEqual([]);
  const said = JSON.stringify(sections);
  expect(said).toMatch(/gets its sidecar \(dry run\)/);
  expect(said).toMatch(/"webhooks: [^"]+ left"/);
  expect(said).toMatch(/iptables over nftables in \d+ pods, tried in /);
});

it("counts versions of all sidecars", async () => {
  const versions = JSON.parse(await tulle("version", "-o", "json")) as Versions;
  expect(versions.controlPlane).toBe(version);
  expect(versions.sidecars?.[version]).toBeGreaterThanOrEqual(2);
});

it("shows live requests of one workload", async () => {
  const lines = await tulle("tap", "--from", `${name}/client`, "--limit", "2", "-o", "json");
  const requests = lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LiveRequest);
  expect(requests).toHaveLength(2);
  for (const request of requests)
    expect(request).toMatchObject({ from: `${name}/client`, to: `${name}/server`, status: 200 });
});

it("explains by what a running sidecar goes", async () => {
  const pods = await readObject<{ items: { metadata: { name: string } }[] }>("pods", "-n", name, "-l", "app=client");
  const pod = `${name}/${pods.items[0]?.metadata.name}`;
  const told = JSON.parse(
    await tulle("explain", "--sidecar", pod, "GET", "http://server/", "-o", "json"),
  ) as Explanation;
  expect(told.callerIdentity).toBe(`spiffe://cluster.local/ns/${name}/sa/client`);
  expect(told.backends).toMatchObject([{ service: `${name}/server`, endpoints: { ready: 1, outsideMesh: 0 } }]);
});

it("names the workloads that a change would reach", async () => {
  const file = join(tmpdir(), `tulle-diff-${process.pid}.yaml`);
  const targetRefs = [{ kind: "Service", name: "server" }];
  const metadata = { namespace: name, name: "server" };
  const spec = { targetRefs, request: "7s" };
  writeFileSync(file, JSON.stringify({ apiVersion: "tulle.dev/v1alpha1", kind: "TimeoutPolicy", metadata, spec }));
  const said = await tulle("diff", "-f", file, "-o", "json");
  rmSync(file);
  expect(JSON.parse(said)).toMatchObject([
    { name: `server.${name}.svc.cluster.local:80`, change: "changed", workloads: [`${name}/client`] },
  ]);
});

it("changes what a sidecar and each replica of the control plane log", async () => {
  const levelsOf = async (...args: readonly string[]) =>
    Object.entries(JSON.parse(await tulle("log-level", ...args, "-o", "json")) as Record<string, string>);
  expect(await levelsOf(`${name}/client`, "debug")).toEqual([
    [expect.stringMatching(new RegExp(`^${name}/client-`)), "debug"],
  ]);
  expect(await levelsOf("control-plane")).toEqual([[expect.stringMatching(/^tulle-system\//), "info"]]);
});

it("brings the dashboard to this machine for as long as it runs", async () => {
  const child = spawn("bash", [
    "-c",
    `. ${join(import.meta.dirname, "../env.sh")}; exec "$0" "$@"`,
    process.execPath,
    main,
    "dashboard",
    "--port",
    "0",
    "-o",
    "json",
  ]);
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url } = JSON.parse(line) as { url: string };
  const view = await eventually("its edge", async () => {
    const seen = (await (await fetch(new URL("/api/mesh", url))).json()) as MeshView;
    return seen.edges.some(({ from, service: to }) => from === `${name}/client` && to === `${name}/server`)
      ? seen
      : undefined;
  });
  expect(view.version).toBe(version);
  const ended = once(child, "close") as Promise<[number]>;
  child.kill("SIGINT");
  expect(await ended).toEqual([0, null]);
  await expect(fetch(url)).rejects.toThrow("fetch failed");
});
