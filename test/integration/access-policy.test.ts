/** AccessPolicy on every way into a pod: requests, tunnels, upgrades, and links that no sidecar opened. */

import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import type { AccessRule, NamedAccessRules } from "../../model/policy.ts";
import { workloadId } from "../support/authority.ts";
import { askThrough, meshed, nextPodIp, TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";
import { dialRaw, untilClosed } from "../support/sockets.ts";

const anyone: AccessRule = { from: [], methods: [], paths: [] };
const web: AccessRule["from"] = [{ kind: "identity", id: workloadId("web") }];

function allow(...rules: AccessRule[]): NamedAccessRules {
  return { name: "shop/allow", action: "allow", mode: "enforce", rules };
}

function deny(...rules: AccessRule[]): NamedAccessRules {
  return { ...allow(...rules), name: "shop/deny", action: "deny" };
}

function admitBy(mesh: TestMesh, ...access: NamedAccessRules[]): void {
  const port = { port: 8080, protocol: "detect" as const, ...(access.length > 0 && { access }) };
  mesh.resources.set({ kind: "inbound", value: { name: "shop/orders", ports: [port] } });
}

interface Pair {
  readonly web: TestSidecar;
  readonly orders: TestSidecar;
  /** What the application was asked. */
  readonly seen: string[];
}

async function openPair(mesh: TestMesh): Promise<Pair> {
  const pair = { web: await mesh.sidecar("web"), orders: await mesh.sidecar("orders"), seen: [] as string[] };
  await mesh.application(pair.orders.podIp, (request, response) => {
    pair.seen.push(`${request.method} ${request.url}`);
    response.end("fine");
  });
  mesh.service("orders", [meshed(pair.orders.podIp, "orders")]);
  return pair;
}

it("tells callers apart by their certificates, says why, and counts it", async () => {
  await using mesh = await TestMesh.open();
  const { web: first, orders, seen } = await openPair(mesh);
  const other = await mesh.sidecar("other");
  admitBy(mesh, allow({ ...anyone, from: web }));

  expect((await askThrough(first.podIp, "http://orders/")).status).toBe(200);
  const refused = await askThrough(other.podIp, "http://orders/", { method: "POST", body: "x".repeat(100_000) });

  expect([refused.status, refused.headers["tulle-error"]]).toEqual([403, "forbidden"]);
  expect(refused.body).toBe(
    "An access policy does not admit this caller. It is spiffe://cluster.local/ns/shop/sa/other.\n",
  );
  expect(seen).toEqual(["GET /"]);
  const { accessRefused, requests } = orders.metrics;
  expect(accessRefused.value(accessRefused.slot({ policy: "", mode: "enforce" }))).toBe(1);
  const labels = { direction: "inbound", service: "shop/orders", peer: "shop/other", code: "403", error: "forbidden" };
  expect(requests.value(requests.slot({ ...labels, tls: "mutual", grpc: "", result: "success" }))).toBe(1);
});

it("follows an update at once, whether stricter or milder", async () => {
  await using mesh = await TestMesh.open();
  const { web: caller } = await openPair(mesh);
  const ask = async () => (await askThrough(caller.podIp, "http://orders/")).status;
  expect(await ask()).toBe(200);
  admitBy(mesh, allow());
  expect(await ask()).toBe(403);
  admitBy(mesh, allow(anyone), deny({ ...anyone, from: web }));
  expect(await ask()).toBe(403);
  admitBy(mesh, { ...deny({ ...anyone, from: web }), mode: "audit" });
  expect(await ask()).toBe(200);
});

it("judges by method and path, and accepts no path with two readings", async () => {
  await using mesh = await TestMesh.open();
  const { web: caller, seen } = await openPair(mesh);
  admitBy(
    mesh,
    deny({ ...anyone, paths: [{ kind: "prefix", value: "/admin" }] }),
    allow({ ...anyone, methods: ["GET"] }),
  );
  const ask = async (path: string, method = "GET") => {
    const { status, headers } = await askThrough(caller.podIp, `http://orders${path}`, { method });
    return `${status} ${String(headers["tulle-error"] ?? "")}`;
  };
  expect(await ask("/items")).toBe("200 ");
  expect(await ask("/items", "PUT")).toBe("403 forbidden");
  expect(await ask("/admin/users")).toBe("403 forbidden");
  expect(await ask("/%61dmin")).toBe("400 path_ambiguous");
  expect(await ask("/items%2f..%2f..%2fadmin")).toBe("400 path_ambiguous");
  expect(seen).toEqual(["GET /items"]);
});

it("answers a gRPC caller with PERMISSION_DENIED", async () => {
  await using mesh = await TestMesh.open();
  await openPair(mesh);
  const listenHost = nextPodIp();
  const upstream = { host: "orders", port: 80, listenHost, listenPort: 9001 };
  await mesh.sidecar("other", { upstreams: [upstream] });
  admitBy(mesh, allow({ ...anyone, from: web }));
  const client = new grpc.Client(`${listenHost}:9001`, grpc.credentials.createInsecure());
  onTestFinished(() => client.close());
  const error = await new Promise<grpc.ServiceError | null>((resolve) => {
    const bytes = (value: Buffer) => value;
    client.makeUnaryRequest("/shop.Orders/Get", bytes, bytes, Buffer.alloc(0), (failure) => resolve(failure));
  });
  expect(error?.code).toBe(grpc.status.PERMISSION_DENIED);
  expect(error?.details).toMatch(/^forbidden: /);
});

/** A connection whose bytes are none of the mesh's business, through the sidecar of a workload. */
async function dialOpaque(mesh: TestMesh, workload: string): Promise<net.Socket> {
  const listenHost = nextPodIp();
  await mesh.sidecar(workload, { upstreams: [{ host: "store", port: 80, listenHost, listenPort: 9001 }] });
  const socket = dialRaw({ host: listenHost, port: 9001 });
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  return socket;
}

it("closes a TCP connection that is not admitted, before the application sees it", async () => {
  await using mesh = await TestMesh.open();
  const store = await mesh.sidecar("store", { protocol: "opaque" });
  const accepted: net.Socket[] = [];
  const server = net.createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => {}); // the test destroys the other end
    socket.pipe(socket);
  });
  server.listen(8080, store.podIp);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  mesh.service("store", [meshed(store.podIp, "store")]);
  const port = { port: 8080, protocol: "opaque" as const, access: [allow({ ...anyone, from: web })] };
  mesh.resources.set({ kind: "inbound", value: { name: "shop/store", ports: [port] } });

  const refused = await dialOpaque(mesh, "other");
  refused.write("\0\x01\x02hello");
  await untilClosed(refused);
  expect(refused.bytesRead).toBe(0);
  expect(accepted).toEqual([]);

  const admitted = await dialOpaque(mesh, "web");
  admitted.write("\0\x01\x02hello");
  expect(String(await once(admitted, "data"))).toBe("\0\x01\x02hello");
});

it("judges an upgrade like any request", async () => {
  await using mesh = await TestMesh.open();
  const orders = await mesh.sidecar("orders");
  const caller = await mesh.sidecar("web");
  const upgraded: string[] = [];
  const server = await mesh.application(orders.podIp, (_request, response) => response.end());
  server.on("upgrade", (request, socket) => {
    upgraded.push(String(request.url));
    socket.on("error", () => {}); // the caller leaves at once
    socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  admitBy(mesh, deny({ ...anyone, paths: [{ kind: "exact", value: "/secret" }] }));
  const ask = async (path: string) => {
    const headers = { host: "orders", connection: "Upgrade", upgrade: "websocket" };
    const request = http.request({ host: caller.podIp, port: 15_001, path: `http://orders${path}`, headers });
    request.on("error", () => {}).on("upgrade", (_response, socket: net.Socket) => socket.on("error", () => {}));
    request.end();
    const [response] = (await Promise.race([once(request, "upgrade"), once(request, "response")])) as [
      http.IncomingMessage,
    ];
    request.destroy();
    return response.statusCode;
  };
  expect(await ask("/secret")).toBe(403);
  expect(await ask("/open")).toBe(101);
  expect(upgraded).toEqual(["/open"]);
});

it("applies to a client that dials the mesh port itself, whatever target it names", async () => {
  await using mesh = await TestMesh.open();
  const { orders, seen } = await openPair(mesh);
  admitBy(mesh, allow({ ...anyone, from: web }));
  const { certificateChainPem, privateKeyPem, trustBundlePem } = mesh.authority.credentials(workloadId("other"));
  const socket = tls.connect({
    host: orders.podIp,
    port: 15_008,
    cert: certificateChainPem,
    key: privateKeyPem,
    ca: trustBundlePem,
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  await once(socket, "secureConnect");
  const session = http2.connect("http://orders", { createConnection: () => socket }).on("error", () => {});
  onTestFinished(() => session.destroy());
  const target = `${orders.podIp}:8080`;
  const statusOf = async (headers: http2.OutgoingHttpHeaders) => {
    const [head] = (await once(session.request(headers), "response")) as [http2.IncomingHttpHeaders];
    return [head[":status"], head["tulle-error"]];
  };
  const claimed = { "tulle-client-id": workloadId("web") };
  expect(await statusOf({ ":path": "/", "tulle-target": target, ...claimed })).toEqual([403, "forbidden"]);
  expect(await statusOf({ ":path": "/" })).toEqual([403, "forbidden"]);
  expect(await statusOf({ ":method": "CONNECT", ":authority": target })).toEqual([403, "forbidden"]);
  expect(seen).toEqual([]);
});

it("accepts nothing while the sidecar does not know its own policies", async () => {
  await using mesh = await TestMesh.open();
  const { web: caller, seen } = await openPair(mesh);
  mesh.resources.remove("inbound", "shop/orders");
  const refused = await askThrough(caller.podIp, "http://orders/");
  expect([refused.status, refused.headers["tulle-error"]]).toEqual([503, "refused_stream"]);
  expect(seen).toEqual([]);
  admitBy(mesh);
  expect((await askThrough(caller.podIp, "http://orders/")).status).toBe(200);
});
