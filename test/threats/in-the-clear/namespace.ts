/**
 * Runs in a network namespace of its own (`unshare --map-root-user --net`): plaintext that iptables redirects to 15006, as
 * strangers without a sidecar send it. Prints what came of each attempt as one JSON object; `../in-the-clear.test.ts` says
 * what it has to be.
 */

import { once } from "node:events";
import net from "node:net";
import { debugPages, snapshotPath, tapPath } from "../../../sidecar/debug/debug-pages.ts";
import { openOriginalDestination } from "../../../sidecar/net/original-destination.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { openAdmin } from "../../../sidecar/telemetry/admin.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { debugField } from "../../../system/loopback-page.ts";
import { refusedChunks, refusedFraming, refusedHeads } from "../../sidecar/http1/hostile-requests.ts";
import { malformedRequests } from "../../sidecar/http2/hostile-requests.ts";
import { frame, headers, preface, RawPeer, SETTINGS } from "../../sidecar/http2/raw-peer.ts";
import { addRule, redirect, setUpLoopback } from "../../support/namespace.ts";
import { TestMesh as Mesh, nextPodIp } from "../../support/sidecar-pair.ts";
import { RawClient } from "../../support/sockets.ts";
import { floods } from "../flood-frames.ts";
import { otherForms, secondReadings } from "../path-tricks.ts";

const pod = "10.1.0.9";
const stranger = "10.1.0.99";
const port = 8080;

let received = "";

/** An application that keeps every byte it gets, and answers each head. */
async function startApplication(): Promise<void> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {}); // the sidecar cuts what it can't trust
    socket.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      received += text;
      for (const _ of text.matchAll(/\r\n\r\n/g)) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  });
  server.listen(port, pod);
  await once(server, "listening");
  server.unref();
}

function connect(to = port): Promise<net.Socket> {
  const socket = net.connect({ host: pod, port: to, localAddress: stranger, allowHalfOpen: true });
  return new Promise((resolve) => {
    socket.on("error", () => resolve(socket));
    socket.on("connect", () => resolve(socket));
  });
}

interface Outcome {
  /** The first line of the answer. */
  readonly answer: string;
  readonly code: string | undefined;
  /** What the application got of it. */
  readonly reached: string;
}

/** Sends text and waits for the end of the connection. */
async function send(text: string): Promise<Outcome> {
  received = "";
  const client = new RawClient(port, pod, { localAddress: stranger });
  client.send(text);
  await client.closed;
  const [answer = ""] = client.received.split("\r\n");
  return { answer, code: /tulle-error: (\w+)/.exec(client.received)?.[1], reached: received };
}

async function sendEach(texts: Iterable<readonly [name: string, text: string]>): Promise<Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  for (const [name, text] of texts) {
    outcomes[name] = await send(text);
  }
  return outcomes;
}

/** Malformed HTTP/2 in the clear, a connection for each; what the application got of all of them. */
async function malformedHttp2(): Promise<string> {
  received = "";
  for (const fields of Object.values(malformedRequests)) {
    const peer = new RawPeer(await connect());
    peer.send(preface, frame(SETTINGS, 0, 0), headers(1, fields));
    await peer.resetOf(1);
    peer.socket.destroy();
  }
  return received;
}

/** The codes of GOAWAY by which floods in the clear end. */
async function floodEach(): Promise<Record<string, number | undefined>> {
  const codes: Record<string, number | undefined> = {};
  for (const [name, bytes] of Object.entries(floods)) {
    const peer = new RawPeer(await connect());
    peer.send(preface, frame(SETTINGS, 0, 0), bytes);
    codes[name] = await peer.goawayCode();
    await peer.closed;
  }
  return codes;
}

function setRule(isSet: boolean): void {
  const rules = [{ from: [], methods: [], paths: [{ kind: "prefix" as const, value: "/admin" }] }];
  const access = isSet ? { access: [{ name: "shop/deny", action: "deny", mode: "enforce", rules } as const] } : {};
  const ports = [{ port, protocol: "http1" as const, ...access }];
  mesh.resources.set({ kind: "inbound", value: { name: "shop/web", ports } });
}

/** What doors into the sidecar a stranger finds: who takes a connection. */
async function openDoors(ports: readonly number[]): Promise<readonly number[]> {
  const open: number[] = [];
  for (const each of ports) {
    const socket = await connect(each);
    if (!socket.connecting && !socket.destroyed && socket.readyState === "open") open.push(each);
    socket.destroy();
  }
  return open;
}

async function askAdmin(method: string, path: string): Promise<string> {
  const client = new RawClient(15_020, pod, { localAddress: stranger });
  client.send(`${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  await client.closed;
  return client.received.slice(9, 12);
}

const get = (path: string, fields = ""): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`;

setUpLoopback([pod, stranger]);
addRule("iptables", "-s", pod, "-d", pod, "--dport", "8000:9000", "-j", "RETURN");
redirect("iptables", 15_006, "-s", stranger, "-d", pod, "--dport", "8000:9000");
const opened = await openOriginalDestination(stranger);
if (!opened.ok) throw new Error(opened.error);
const mesh = await Mesh.open();
const upstreams = [{ host: "a", port: 80, listenHost: nextPodIp(), listenPort: 9001 }];
const { metrics, taps } = await mesh.sidecar("web", { podIp: pod, originalDestination: opened.value, upstreams });
const registry = new MetricRegistry({ labels: {} });
const debug = debugPages({ taps, inForce: () => [], identity: () => undefined, state: () => undefined });
const wheel = new TimerWheel(performance);
const readiness = () => [];
const admin = await openAdmin({ host: pod, port: 15_020, registry, readiness, probes: new Map(), wheel, debug });
await startApplication();
setRule(false);

const framing = Object.entries(refusedFraming).map(
  ([name, [, fields]]) =>
    [name, `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n0\r\n\r\n${get("/smuggled")}`] as const,
);
const chunks = Object.entries(refusedChunks).map(
  ([name, body]) => [name, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`] as const,
);
// A preface is the beginning of HTTP/2, and no HTTP/1.1 gone wrong.
const heads = Object.entries(refusedHeads)
  .filter(([, [, text]]) => !text.startsWith("PRI *"))
  .map(([name, [, text]]) => [name, text] as const);

const spoofed =
  "tulle-client-id: spiffe://cluster.local/ns/shop/sa/admin\r\ntulle-target: 10.1.0.1:1\r\nx-forwarded-for: 1.2.3.4\r\n";
const seen: Record<string, unknown> = {
  ambiguous: await sendEach([...heads, ...framing, ...chunks]),
  malformedHttp2: await malformedHttp2(),
  floods: await floodEach(),
  spoofed: await send(get("/", spoofed)),
  late: await send(get("/", "tulle-deadline: 0m\r\n")),
  h2cUpgrade: await send(
    get("/", "Connection: http2-settings, upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
  ),
};
setRule(true);
seen["paths"] = await sendEach([...otherForms, ...secondReadings].map((path) => [path, get(path)] as const));
seen["denied"] = await send(get("/admin/users"));
seen["doors"] = await openDoors([15_001, 9_001, 15_020]);
seen["admin"] = [
  await askAdmin("GET", "/live"),
  await askAdmin("POST", "/live"),
  ...(await Promise.all(
    ["/quitquitquit", "/debug/pprof", "/config_dump", tapPath, snapshotPath].map((path) => askAdmin("GET", path)),
  )),
];
seen["debugOnLoopback"] = (
  await fetch(`http://127.0.0.1:15020${snapshotPath}`, { headers: { [debugField]: "yes" } })
).status;
seen["refusedCount"] = metrics.refused.value(metrics.refused.slot({ listener: "inbound", code: "bad_request" })) > 0;
admin.close();
await mesh[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
