/**
 * Runs in a network namespace of its own (`unshare --map-root-user --net`): real iptables rules, a real sidecar behind them.
 * Prints what was seen as one JSON object; `../interception.test.ts` says what it has to be.
 *
 * In a pod the rules tell the application from the sidecar by its user id. A namespace that needs no root has only one, so
 * here it is the source address: the application dials from `pod`, strangers from `stranger`.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import type { PortPolicies } from "../../../model/resources.ts";
import { openOriginalDestination, type ReadOriginalDestination } from "../../../sidecar/net/original-destination.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";
import { addRule, redirect, redirectIncoming, run, setUpLoopback } from "../../support/namespace.ts";
import { inputOf } from "../../support/program-input.ts";
import { TestMesh as Mesh, type TestMesh, type TestSidecar } from "../../support/sidecar-pair.ts";
import { dialRaw, RawClient } from "../../support/sockets.ts";

const pod = { ipv4: "10.1.0.9", ipv6: "fd00:1::9" };
/** One of loopback: two pods of one machine would both listen on 127.0.0.1:15001. */
const ordersPod = "127.1.0.7";
const stranger = "10.1.0.99";
const dualStack = { source: "10.1.0.98", port: 7_000 };
const service = { ipv4: "10.96.0.5", ipv6: "fd00:96::5" };
const outside = { ipv4: "192.0.2.7", ipv6: "fd00:2::7" };
/** All of them lead to the sidecar's own listener. */
const ownNames = [
  "127.0.0.1",
  "127.0.0.2",
  "localhost",
  "LocalHost",
  "0.0.0.0",
  "0",
  "127.1",
  "2130706433",
  "0x7f000001",
  "[::]",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "10.1.0.9",
  "10.65545",
  "[::ffff:10.1.0.9]",
];

function addRules(): void {
  // The sidecar's own dial to its application.
  addRule("iptables", "-s", pod.ipv4, "-d", pod.ipv4, "--dport", "8000:9000", "-j", "RETURN");
  redirect("iptables", 15_001, "-s", pod.ipv4);
  redirect("ip6tables", 15_001, "-s", pod.ipv6);
  redirect("iptables", 15_006, "-s", stranger, "-d", pod.ipv4, "--dport", "8000:9000");
  redirectIncoming("iptables", 15_006, "-d", pod.ipv4, "--dport", "8000:9000");
  redirect("iptables", dualStack.port, "-s", dualStack.source);
}

async function serve(host: string, port: number, listener: http.RequestListener): Promise<void> {
  const server = http.createServer(listener).listen(port, host);
  await once(server, "listening");
  server.unref();
}

/** A GET from a source address; the body, or the code of the error. */
function get(localAddress: string, host: string, port: number, options: http.RequestOptions = {}): Promise<string> {
  return new Promise((resolve) => {
    const headers = { "tulle-client-id": "spoofed", connection: "close" };
    const request = http.get({ localAddress, host, port, agent: false, headers, ...options }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("end", () => resolve(body));
    });
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

/** What a server says of itself before it is asked anything. */
async function greeting(localAddress: string, host: string, port: number): Promise<string> {
  const socket = dialRaw({ localAddress, host, port });
  const [greeted] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return greeted.toString();
}

/** A listener for both families gets IPv4 clients on an IPv6 socket. */
async function readOnDualStack(read: ReadOriginalDestination): Promise<unknown> {
  const server = net.createServer().listen(dualStack.port, "::");
  await once(server, "listening");
  const client = dialRaw({ localAddress: dualStack.source, host: service.ipv4, port: 4_321 });
  const [accepted] = (await once(server, "connection")) as [net.Socket];
  const destination = read(accepted);
  client.destroy();
  accepted.destroy();
  server.close();
  return destination;
}

/** What another machine of the pod's network gets from each port of the pod. */
async function askFromOtherMachine(ports: readonly number[]): Promise<unknown> {
  const addresses = ports.map((port) => `${pod.ipv4}:${port}`);
  const script = join(import.meta.dirname, "other-machine.ts");
  const machine = spawn("unshare", ["--net", process.execPath, script, "cable1", "10.1.0.200/24", ...addresses], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const said = createInterface({ input: machine.stdout });
  await once(said, "line");
  run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", String(machine.pid));
  run("ip", "address", "add", `${pod.ipv4}/24`, "dev", "cable0");
  run("ip", "link", "set", "cable0", "up");
  const answered = once(said, "line") as Promise<[string]>;
  inputOf(machine).end("\n");
  return JSON.parse((await answered)[0]);
}

const addresses = `spec: {clusterIP: ${service.ipv4}, clusterIPs: [${service.ipv4}, "${service.ipv6}"], `;
const policies = `
{apiVersion: tulle.dev/v1alpha1, kind: RetryPolicy, metadata: {namespace: shop, name: r}, spec: {initialDelay: 1ms}}
---
{apiVersion: tulle.dev/v1alpha1, kind: CircuitBreaker, metadata: {namespace: shop, name: c}, spec: {failureThreshold: 2}}
`;

/** What the control plane compiles for the addresses that are dialled here. */
function compileInto({ resources }: TestMesh): void {
  const yaml =
    serviceYaml("orders").replace("spec: {", addresses) + podYaml("orders-1", "orders", ordersPod) + policies;
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  pipeline.apply(changeOf(yaml));
  for (const kind of ["destination", "endpoints"] as const) {
    for (const name of [`${service.ipv4}:80`, `[${service.ipv6}]:80`, `${ordersPod}:8080`])
      pipeline.setWanted(kind, name, true);
    for (const { resource } of pipeline.snapshot.list(kind)) resources.set(resource);
  }
}

/** `web`, behind the rules, and `orders`, which has the addresses of `service`. */
async function startMesh(mesh: TestMesh, originalDestination: ReadOriginalDestination): Promise<TestSidecar> {
  const web = await mesh.sidecar("web", { podIp: pod.ipv4, originalDestination });
  await mesh.sidecar("orders", { podIp: ordersPod });
  compileInto(mesh);
  const asked = new Map<string | undefined, number>();
  await mesh.application(ordersPod, ({ headers, url }, response) => {
    asked.set(url, (asked.get(url) ?? 0) + 1);
    if (url?.startsWith("/once") && asked.get(url) === 1) response.statusCode = 503;
    response.end(`orders${url} for ${String(headers["tulle-client-id"])} as ${headers.host}, ${asked.get(url)}`);
  });
  return web;
}

/** The same program once more, now as one that looks up pods itself, and means what it says in Host. */
async function routedByHost(
  mesh: TestMesh,
  web: TestSidecar,
  originalDestination: ReadOriginalDestination,
): Promise<string[]> {
  web.sidecar.close();
  await mesh.sidecar("web", { podIp: pod.ipv4, originalDestination, routeBy: "host" });
  const as = (host: string, path: string) => ({ path, headers: { host } });
  return [
    await get(pod.ipv4, ordersPod, 8_080, as("orders.shop", "/once-more")),
    await get(pod.ipv4, ordersPod, 8_080, as("example.com", "/g")),
    await get(pod.ipv4, outside.ipv4, 8_000, as("orders.shop.svc.cluster.local:80", "/h")),
    await get(pod.ipv4, outside.ipv4, 8_000, as("example.com", "/i")),
  ];
}

async function startOutside(): Promise<void> {
  for (const host of [outside.ipv4, outside.ipv6])
    await serve(host, 8_000, ({ headers }, response) => response.end(`outside, ${String(headers["tulle-client-id"])}`));
  for (const port of [8_080, 8_999])
    await serve(pod.ipv4, port, ({ headers }, response) =>
      response.end(`web:${port}, ${String(headers["tulle-client-id"])}`),
    );
  const chatty = net.createServer((socket) => socket.on("error", () => {}).end("220 ready"));
  chatty.listen(2_525, outside.ipv4);
  await once(chatty, "listening");
  chatty.unref();
}

class CountingAgent extends http.Agent {
  opened = 0;

  override createConnection(...how: Parameters<http.Agent["createConnection"]>) {
    this.opened++;
    return super.createConnection(...how);
  }
}

/** Who may come in plaintext, as policies come and go; and how many connections the kept one was. */
async function plainUnderPolicies(mesh: TestMesh): Promise<unknown> {
  const { resources } = mesh;
  const agent = new CountingAgent({ keepAlive: true, maxSockets: 1 });
  const kept = () => get(stranger, pod.ipv4, 8_080, { agent, headers: {} });
  const seen: string[] = [await kept()];
  const setInbound = (policies: PortPolicies, elsewhere: PortPolicies) => {
    const ports = [{ port: 8_080, protocol: "detect" as const, ...policies }];
    resources.set({ kind: "inbound", value: { name: "shop/web", ports, elsewhere } });
  };
  setInbound({ mtls: "strict" }, {});
  seen.push(await kept(), await get(stranger, pod.ipv4, 8_999));
  setInbound({}, { access: [{ name: "shop/nobody", action: "allow", mode: "enforce", rules: [] }] });
  seen.push(await kept(), await get(stranger, pod.ipv4, 8_999));
  resources.remove("inbound", "shop/web");
  seen.push(await kept(), await get(stranger, pod.ipv4, 8_999));
  agent.destroy();
  return { seen: seen.map((body) => body.trim()), connections: agent.opened };
}

/** What comes back, and how each connection ends, once the port takes mutual TLS alone. */
async function plainWhereStrict({ resources }: TestMesh, { metrics }: TestSidecar): Promise<unknown> {
  const request = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
  const refused = () => metrics.accessRefused.value(metrics.accessRefused.slot({ policy: "mtls", mode: "enforce" }));
  const open = () => new RawClient(8_080, pod.ipv4, { localAddress: stranger });
  const setInbound = (policies: PortPolicies) => {
    const ports = [{ port: 8_080, protocol: "detect" as const, ...policies }];
    resources.set({ kind: "inbound", value: { name: "shop/web", ports } });
  };
  const rest = async (client: RawClient, before = "") => {
    const ended = await client.closed;
    return { bytes: client.received.slice(before.length), ended };
  };
  setInbound({});
  const keptOne = open().send(request);
  const answer = await keptOne.receive("web:8080, undefined");
  const refusedBefore = refused();
  setInbound({ mtls: "strict" });
  const fresh = await rest(open().send(request));
  const silent = await rest(open());
  const kept = await rest(keptOne.send(request), answer);
  return { fresh, silent, kept, counted: refused() - refusedBefore };
}

/** A client that keeps its connection, while its callee is about to end: every answer, and how many connections they took. */
async function plainWhereLeaving({ resources }: TestMesh, { sidecar }: TestSidecar): Promise<unknown> {
  const ports = [{ port: 8_080, protocol: "detect" as const }];
  resources.set({ kind: "inbound", value: { name: "shop/web", ports } });
  const agent = new CountingAgent({ keepAlive: true, maxSockets: 1 });
  const kept = () => get(stranger, pod.ipv4, 8_080, { agent, headers: {} });
  const seen = new Set([await kept(), await kept()]);
  sidecar.sendCallersAway();
  for (let i = 0; i < 10; i++) seen.add(await kept());
  agent.destroy();
  return { seen: [...seen], connections: agent.opened };
}

setUpLoopback([
  ...Object.values(pod),
  stranger,
  dualStack.source,
  ...Object.values(service),
  ...Object.values(outside),
]);
const withoutRules = await openOriginalDestination("127.0.0.1");
addRules();
const opened = await openOriginalDestination("127.0.0.1");
if (!opened.ok) throw new Error(opened.error);
const mesh = await Mesh.open();
const web = await startMesh(mesh, opened.value);
await startOutside();

const seen = {
  withoutRules: withoutRules.ok ? "ok" : withoutRules.error,
  dualStack: await readOnDualStack(opened.value),
  service: await get(pod.ipv4, service.ipv4, 80, { path: "/a" }),
  serviceOverIpv6: await get(pod.ipv6, service.ipv6, 80, { path: "/b" }),
  serviceUnderAnotherName: await get(pod.ipv4, service.ipv4, 80, { path: "/c", headers: { host: "example.com" } }),
  serviceThatFailsOnce: await get(pod.ipv4, service.ipv4, 80, { path: "/once" }),
  podItself: await get(pod.ipv4, ordersPod, 8_080, { path: "/d" }),
  podThatFailsOnce: await get(pod.ipv4, ordersPod, 8_080, { path: "/once-direct" }),
  outside: await get(pod.ipv4, outside.ipv4, 8_000),
  outsideOverIpv6: await get(pod.ipv6, outside.ipv6, 8_000),
  nobody: await get(pod.ipv4, outside.ipv4, 8_001),
  serverFirst: await greeting(pod.ipv4, outside.ipv4, 2_525),
  forwardProxy: await get(pod.ipv4, "127.0.0.1", 15_001, {
    path: `http://${service.ipv4}/`,
    headers: { host: service.ipv4 },
  }),
  ownPortByAnyName: await Promise.all(
    ownNames.map((host) =>
      get(pod.ipv4, "127.0.0.1", 15_001, { path: `http://${host}:15001/`, headers: { host: `${host}:15001` } }),
    ),
  ),
  ownPortOut: await get(pod.ipv4, pod.ipv4, 15_008),
  plainIn: await get(stranger, pod.ipv4, 8_080),
  plainInUndeclared: await get(stranger, pod.ipv4, 8_999),
  plainInNobody: await get(stranger, pod.ipv4, 8_998),
  ownPortIn: await get(stranger, pod.ipv4, 15_006),
  otherMachine: await askFromOtherMachine([8_080, 8_999, 15_006, 15_001]),
  outboundFromElsewhere: await get(stranger, pod.ipv4, 15_001),
  plainUnderPolicies: await plainUnderPolicies(mesh),
  plainWhereStrict: await plainWhereStrict(mesh, web),
  plainWhereLeaving: await plainWhereLeaving(mesh, web),
  routedByHost: await routedByHost(mesh, web, opened.value),
};
await mesh[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
