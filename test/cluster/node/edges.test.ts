/** The edges of the mesh: calls that leave it, callers from outside, ports that bypass it, pods that may not be redirected. */

import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Prometheus } from "../../observability/prometheus.ts";
import {
  apply,
  ask,
  counted,
  deployment,
  eventually,
  exchange,
  type KubernetesObject,
  kubectl,
  namespace,
  nodeIp,
  nodePort,
  podOf,
  processOf,
  rolledOut,
  run,
  scenario,
  service,
  sidecarOf,
  start,
  tulle,
} from "./cluster.ts";

const shop = "node-edges";
/** Its Pod Security admits no NET_ADMIN. */
const locked = "node-locked";
const rules = join(import.meta.dirname, "../../../deploy/prometheus/alerts.yaml");
const idOf = (name: string, where = shop) => `spiffe://cluster.local/ns/${where}/sa/${name}`;
const proxyEnvironment = { http_proxy: "http://127.0.0.1:15001", no_proxy: "127.0.0.1", NODE_USE_ENV_PROXY: "1" };
let outside: ReturnType<typeof start>;

/** A machine that the cluster knows nothing of: here, a program on the node. */
function startOutside(): ReturnType<typeof start> {
  const script = `require("node:http").createServer((q, s) => s.end("outside")).listen(18080, "${nodeIp}", () => console.log("up"))`;
  return start("bash", [
    "-c",
    'exec nsenter --net="/run/netns/$CLUSTER_NETNS" "$@"',
    "outside",
    process.execPath,
    "-e",
    script,
  ]);
}

const access = (name: string, spec: object): KubernetesObject => ({
  apiVersion: "tulle.dev/v1alpha1",
  kind: "AccessPolicy",
  metadata: { name, namespace: shop },
  spec,
});

beforeAll(async () => {
  const server = (name: string, more: object = {}) =>
    deployment({ namespace: shop, name, program: "server", env: { PORTS: "8080,9090,9091" }, ...more });
  const entry = service(shop, "server", { app: "server" });
  const off = { "tulle.dev/intercept": "off" };
  const [lockedNamespace, ...lockedRest] = namespace(locked, true);
  const labels = { "tulle.dev/inject": "enabled", "pod-security.kubernetes.io/enforce": "baseline" };
  await apply([
    ...namespace(shop, true),
    { ...(lockedNamespace as KubernetesObject), metadata: { name: locked, labels } },
    ...lockedRest,
    ...scenario({ namespace: shop, name: "caller" }),
    ...scenario({ namespace: shop, name: "confined", annotations: { "tulle.dev/outside": "deny" } }),
    ...scenario({ namespace: shop, name: "skipping", annotations: { "tulle.dev/skip-outbound-ports": "9090" } }),
    ...server("server"),
    { ...entry, spec: { ...(entry["spec"] as object), type: "NodePort" } },
    // Strict, but for what an unmeshed Prometheus scrapes: one port by policy, another past the sidecar.
    ...server("strict", { annotations: { "tulle.dev/skip-inbound-ports": "9091" } }),
    service(shop, "strict", { app: "strict" }),
    access("strict", { selector: { matchLabels: { app: "strict" } }, mtls: "strict" }),
    access("scraped", { selector: { matchLabels: { app: "strict" } }, ports: [9_090], mtls: "permissive" }),
    ...server("walled"),
    service(shop, "walled", { app: "walled" }),
    ...scenario({
      namespace: locked,
      name: "proxied",
      annotations: { ...off, "tulle.dev/upstreams": `server.${shop}:80=127.0.0.1:9001` },
      container: { env: Object.entries(proxyEnvironment).map(([name, value]) => ({ name, value })) },
    }),
    ...deployment({ namespace: locked, name: "server", program: "server", annotations: off }),
    service(locked, "server", { app: "server" }),
  ]);
  await rolledOut(shop, "caller", "confined", "skipping", "server", "strict", "walled");
  await rolledOut(locked, "proxied", "server");
  outside = startOutside();
  await once(outside.stdout, "data");
  for (const name of ["strict", "scraped"])
    await kubectl("-n", shop, "wait", `accesspolicy/${name}`, "--for=condition=Programmed", "--timeout=30s");
});

afterAll(async () => {
  outside.kill();
  await kubectl("delete", "namespace", shop, locked, "--wait=false");
});

/** From this machine, which is outside the cluster. */
async function fromOutside(url: string): Promise<string> {
  return await fetch(url, { signal: AbortSignal.timeout(20_000) }).then(
    async (response) => `${response.status} ${(await response.text()).trim()}`,
    (error: Error & { cause?: { code?: string } }) => error.cause?.code ?? error.name,
  );
}

it("lets calls leave the mesh, and counts them", async () => {
  const leaving = () => counted(shop, "app=caller", "tulle_passthrough_total", { reason: "outside" });
  const before = await leaving();
  expect(await exchange(shop, "caller", "http", `${nodeIp}:18080`, 20)).toEqual({ "200 outside": 20 });
  expect(await leaving()).toBe(before + 20);
});

it("refuses them to a pod that may not leave the mesh, and names the annotation that says so", async () => {
  const refused = await exchange(shop, "confined", "http", `${nodeIp}:18080`, 20);
  expect(Object.entries(refused)).toEqual([[expect.stringMatching(/^403 .*tulle\.dev\/outside/s), 20]]);
  // What is no HTTP can only be closed: the API server, by its address.
  expect(await ask(shop, "confined", `https://${nodeIp}:6443/`)).toMatch(/^(ECONNRESET|UND_ERR_SOCKET)$/);
  const denied = { listener: "outbound", code: "outside_denied" };
  expect(await counted(shop, "app=confined", "tulle_refused_total", denied)).toBe(21);
  expect(await ask(shop, "confined", "http://server/who")).toBe(`200 ${idOf("confined")}`);
});

it("answers who comes in by a node's port, as nobody", async () => {
  expect(await fromOutside(`http://${nodeIp}:${await nodePort(shop, "server")}/who`)).toBe("200 nobody");
});

it("leaves skipped ports alone, on the way out and on the way in", async () => {
  const { status } = await podOf(shop, "app=server");
  expect(await ask(shop, "skipping", `http://${status.podIP}:8080/who`)).toBe(`200 ${idOf("skipping")}`);
  expect(await ask(shop, "skipping", `http://${status.podIP}:9090/who`)).toBe("200 nobody");
  const strict = (await podOf(shop, "app=strict")).status.podIP;
  expect(await fromOutside(`http://${strict}:9091/who`)).toBe("200 nobody");
});

it("lets an unmeshed Prometheus scrape a strict workload at its exempt ports, and nobody read the others", async () => {
  const { status } = await podOf(shop, "app=strict");
  const portIn = (labels: Readonly<Record<string, string>>) => labels["instance"]?.split(":").at(-1);
  await using prometheus = await Prometheus.start(
    [8_080, 9_090, 9_091].map((port) => `${status.podIP}:${port}`),
    rules,
  );
  const isUp = await eventually("scrapes of all three", async () => {
    const samples = await prometheus.query("up");
    const seen = new Map(samples.map(({ labels, value }) => [portIn(labels), value]));
    return seen.size === 3 && seen.get("9090") === 1 && seen.get("9091") === 1 ? seen : undefined;
  });
  expect(isUp.get("8080")).toBe(0);
  const scraped = await prometheus.query("scenario_up");
  expect(new Set(scraped.map(({ labels }) => portIn(labels)))).toEqual(new Set(["9090", "9091"]));
  expect(await ask(shop, "caller", "http://strict/who")).toBe(`200 ${idOf("caller")}`);
});

it("needs no rights in a pod that is not redirected: it calls by a proxy or an upstream, as itself", async () => {
  const names = "jsonpath={.items[0].spec.initContainers[*].name}";
  expect(await kubectl("-n", locked, "get", "pod", "-l", "app=proxied", "-o", names)).toBe("tulle-sidecar");
  expect(await ask(locked, "proxied", `http://server.${shop}/who`)).toBe(`200 ${idOf("proxied", locked)}`);
  expect(await ask(locked, "proxied", "http://127.0.0.1:9001/who")).toBe(`200 ${idOf("proxied", locked)}`);
  // The mesh reaches it as any other; plaintext passes its sidecar by.
  expect(await ask(shop, "caller", `http://server.${locked}/who`)).toBe(`200 ${idOf("caller")}`);
  expect(await fromOutside(`http://${(await podOf(locked, "app=server")).status.podIP}:8080/who`)).toBe("200 nobody");
});

it("does not fall back to plaintext where a NetworkPolicy does not admit the mesh's port, and says what is wrong", async () => {
  await apply([
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "walled", namespace: shop },
      spec: { podSelector: { matchLabels: { app: "walled" } }, ingress: [{ ports: [{ port: 8_080 }] }] },
    },
  ]);
  await wall("--insert");
  expect(await ask(shop, "caller", "http://walled/")).toMatch(/^503 .*its mesh port does not answer/);
  const [found] = await wallsFound();
  expect(found?.says).toContain("does not admit TCP 15008, for 1 meshed pod");
  await run("bash", ["-c", found?.fix ?? ""]);
  expect(await wallsFound()).toEqual([]);
  await wall("--delete");
  expect(await ask(shop, "caller", "http://walled/who")).toBe(`200 ${idOf("caller")}`);
});

interface Section {
  readonly findings: readonly { readonly verdict: string; readonly says: string; readonly fix?: string }[];
}

/** By `tulle check`. */
async function wallsFound(): Promise<Section["findings"]> {
  const sections = JSON.parse(await tulle("check", "-o", "json")) as readonly Section[];
  return sections.flatMap(({ findings }) => findings).filter(({ says }) => says.startsWith(`${shop}/walled: `));
}

/** What a network plugin makes of that policy, by hand: the node's knows none. */
async function wall(change: "--insert" | "--delete"): Promise<void> {
  const sidecar = sidecarOf(await podOf(shop, "app=walled"));
  if (sidecar === undefined) throw new Error("walled has no sidecar");
  const rule = ["iptables", change, "INPUT", "--protocol", "tcp", "--destination-port", "15008", "--jump", "DROP"];
  await run("nsenter", ["--target", await processOf(sidecar), "--net", ...rule]);
}
