/** What a user sees of the mesh in a cluster: who talks to whom, and how. */

import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  accountOf,
  apply,
  ask,
  deployment,
  eventually,
  failuresOf,
  image,
  type KubernetesObject,
  kubectl,
  namespace,
  type Pod,
  type PodList,
  readObject,
  rolledOut,
  run,
  service,
  start,
} from "./cluster.ts";

const meshed = "node-mesh";
const unmeshed = "node-plain";
const who = "spiffe://cluster.local/ns/node-mesh/sa/client";

beforeAll(async () => {
  const headless = service(meshed, "server-headless", { app: "server" });
  const clients = { program: "client", name: "client", env: { URL: "http://server/who", RATE: "20" } } as const;
  await apply([
    ...namespace(meshed, true),
    ...namespace(unmeshed, false),
    ...deployment({ namespace: meshed, name: "server", program: "server", replicas: 2 }),
    service(meshed, "server", { app: "server" }),
    { ...headless, spec: { ...(headless["spec"] as object), clusterIP: "None" } },
    ...deployment({ namespace: unmeshed, name: "server", program: "server" }),
    service(unmeshed, "server", { app: "server" }),
  ]);
  await Promise.all([rolledOut(meshed, "server"), rolledOut(unmeshed, "server")]);
  const script = 'fetch("http://server/who").then(async (response) => console.log(await response.text()))';
  const before = { initContainers: [{ name: "before", image, args: ["-e", script] }] };
  const fromOutside = { URL: "http://server.node-mesh/who", RATE: "1" };
  await apply([
    ...deployment({ ...clients, namespace: meshed, pod: before }),
    ...deployment({ ...clients, namespace: unmeshed, env: fromOutside }),
  ]);
  await Promise.all([rolledOut(meshed, "client"), rolledOut(unmeshed, "client")]);
});

afterAll(async () => {
  await kubectl("delete", "namespace", meshed, unmeshed, "--wait=false");
});

async function serverPods(namespace = meshed): Promise<readonly Pod[]> {
  return (await readObject<PodList>("-n", namespace, "pods", "-l", "app=server")).items;
}

it("tells the called workload who calls, from the certificate of the caller", async () => {
  await eventually("answers", async () => ((await accountOf(meshed, "client")).sent >= 40 ? true : undefined));
  const account = await accountOf(meshed, "client");
  expect(Object.keys(account.answers)).toEqual([`200 ${who}`]);
});

it("starts the sidecar before the application's own init containers, which call through it", async () => {
  expect(await kubectl("-n", meshed, "logs", "deployment/client", "-c", "before")).toBe(`${who}\n`);
});

it("reaches one pod by its address with that identity, and all of them by a headless Service", async () => {
  const [pod] = await serverPods();
  expect(await ask(meshed, "client", `http://${pod?.status.podIP}:8080/who`)).toBe(`200 ${who}`);
  expect(await ask(meshed, "client", "http://server-headless:8080/who")).toBe(`200 ${who}`);
});

it("lets a workload call itself through its own Service", async () => {
  const itself = "spiffe://cluster.local/ns/node-mesh/sa/server";
  for (let i = 0; i < 6; i++) expect(await ask(meshed, "server", "http://server/who")).toBe(`200 ${itself}`);
});

it("answers callers without a sidecar, as nobody", async () => {
  expect(await ask(unmeshed, "client", "http://server.node-mesh/who")).toBe("200 nobody");
});

it("calls workloads without a sidecar in the clear", async () => {
  expect(await ask(meshed, "client", "http://server.node-plain/who")).toBe("200 nobody");
});

it("shows no byte of a request between two meshed pods on the wire, and plaintext where one has no sidecar", async () => {
  const [secret, open] = ["a-path-that-nobody-else-asks-for", "a-path-that-everybody-may-read"];
  const servers = [...(await serverPods(meshed)), ...(await serverPods(unmeshed))];
  const addresses = servers.flatMap(({ status }) => status.podIP ?? []);
  expect(addresses).toHaveLength(3);
  // What is seen last shows that all before it has been seen.
  const capture = await captureUntil(open, addresses, async () => {
    expect(await ask(meshed, "client", `http://server/${secret}`)).toBe("200 v1");
    expect(await ask(unmeshed, "client", `http://server/${open}`)).toMatch(/^200 /);
  });
  expect(capture.length).toBeGreaterThan(2_000);
  expect(capture.includes(open)).toBe(true);
  expect(capture.includes(secret)).toBe(false);
});

it("speaks TLS 1.3 on the mesh port, and nothing older", async () => {
  const [pod] = await serverPods();
  const podIP = pod?.status.podIP ?? "";
  expect(await greetMeshPort(podIP, "TLSv1.3")).toBe("TLSv1.3");
  expect(await greetMeshPort(podIP, "TLSv1.2")).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
});

it("refuses plaintext where a policy says strict, while probes and the mesh's own callers pass", async () => {
  const strict: KubernetesObject = {
    apiVersion: "tulle.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name: "strict", namespace: meshed },
    spec: { mtls: "strict" },
  };
  await apply([strict]);
  await kubectl("-n", meshed, "wait", "accesspolicy/strict", "--for=condition=Programmed", "--timeout=20s");
  const refused = await eventually("a refusal", async () => {
    const answer = await ask(unmeshed, "client", "http://server.node-mesh/who");
    return answer.startsWith("200") ? undefined : answer;
  });
  expect(refused).toMatch(/^(ECONNRESET|UND_ERR_SOCKET)/);
  expect(await ask(meshed, "client", "http://server/who")).toBe(`200 ${who}`);
  // Ten of kubelet's probes later.
  const { sent } = await accountOf(meshed, "client");
  await eventually("ten seconds", async () =>
    (await accountOf(meshed, "client")).sent > sent + 200 ? true : undefined,
  );
  for (const { status } of await serverPods())
    expect(status.containerStatuses?.map(({ ready, restartCount }) => [ready, restartCount])).toEqual([[true, 0]]);
  expect(failuresOf(await accountOf(meshed, "client"))).toEqual({});
});

it("refuses pods that can't have a sidecar, saying why", async () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "on-the-host", namespace: meshed },
    spec: { hostNetwork: true, containers: [{ name: "one", image: "tulle-demo:0.1.0" }] },
  };
  await expect(apply([pod])).rejects.toThrow("spec.hostNetwork: must be false: redirects would be the whole node's");
});

/** From the node, without a certificate: the version that was agreed on, or why there is none. */
async function greetMeshPort(podIP: string, newest: string): Promise<string> {
  const greet = `
    const options = { host: process.argv[1], port: 15_008, maxVersion: process.argv[2], rejectUnauthorized: false };
    const socket = require("node:tls").connect(options, () => {
      console.log(socket.getProtocol());
      process.exit();
    });
    socket.on("error", ({ code }) => console.log(code));
  `;
  const fromTheNode = 'exec nsenter --net="/run/netns/$CLUSTER_NETNS" "$0" -e "$@"';
  return (await run("bash", ["-c", fromTheNode, process.execPath, greet, podIP, newest])).trim();
}

/**
 * What crosses the node's bridge from and to these hosts, as bytes, until `last` was among it, or until 20 s after the act.
 * Of all that crosses it while other scenarios run, tcpdump would lose a part.
 */
async function captureUntil(last: string, hosts: readonly string[], act: () => Promise<unknown>): Promise<Buffer> {
  const filter = `tcp and (${hosts.map((host) => `host ${host}`).join(" or ")})`;
  const listening = `exec nsenter --net="/run/netns/$CLUSTER_NETNS" tcpdump -i cni0 --immediate-mode -U -w - -s 0 '${filter}'`;
  const tcpdump = start("bash", ["-c", listening]);
  await once(tcpdump.stderr, "data"); // it says that it listens
  const stop = () => tcpdump.kill("SIGINT");
  const acted = act();
  void acted.then(() => setTimeout(stop, 20_000).unref(), stop);
  const seen: Buffer[] = [];
  let end = Buffer.alloc(0);
  for await (const chunk of tcpdump.stdout as AsyncIterable<Buffer>) {
    seen.push(chunk);
    const newest = Buffer.concat([end, chunk]);
    if (newest.includes(last)) break;
    end = newest.subarray(-last.length);
  }
  stop();
  await acted;
  return Buffer.concat(seen);
}
