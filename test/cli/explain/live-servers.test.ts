import { once } from "node:events";
import http from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from "vitest";
import type { Cluster } from "../../../cli/cluster/cluster.ts";
import type { Fields } from "../../../cli/cluster/fields.ts";
import { readServers } from "../../../cli/explain/live-servers.ts";
import type { Mesh } from "../../../cli/mesh-client.ts";
import { UsageError } from "../../../cli/usage-error.ts";

let sidecar: http.Server;
let stderr: string;

beforeEach(async () => {
  const inbound = { kind: "inbound", version: "1", value: { name: "shop/orders", ports: [] } };
  sidecar = http.createServer((_request, response) =>
    response.end(JSON.stringify({ resources: [inbound], breakers: [] })),
  );
  sidecar.listen(0, "127.0.0.1");
  await once(sidecar, "listening");
  stderr = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  sidecar.close();
  sidecar.closeAllConnections();
});

function pod(name: string): Fields {
  return {
    metadata: { namespace: "shop", name, annotations: { "tulle.dev/workload": "orders" } },
    spec: { initContainers: [{ name: "tulle-sidecar" }] },
  };
}

/** Its pods in `shop` may be listed, and those of no other namespace. */
function meshIn(connectTo: Cluster["connect"]): Mesh {
  const cluster: Cluster = {
    meshNamespace: "tulle-system",
    name: "test",
    request: () => Promise.reject(new UsageError("not asked for")),
    list: (path) =>
      path === "/api/v1/namespaces/shop/pods"
        ? Promise.resolve([pod("orders-1"), pod("orders-2"), pod("other")])
        : Promise.reject(new UsageError(`${path} can't be listed: 403`)),
    connect: connectTo,
    close() {},
  };
  const unasked = () => Promise.reject(new UsageError("not asked for"));
  return { cluster, read: unasked, readCertificates: unasked, close() {} };
}

const pods = ["bank/ledger-1", "shop/orders-1", "shop/orders-2"];

it("reports the answers of sidecars that may be asked, and marks the others as unknown", async () => {
  const asked: string[] = [];
  const mesh = meshIn(async ({ name }) => {
    asked.push(name);
    const socket = connect((sidecar.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    return socket;
  });
  expect(await readServers(mesh, pods)).toEqual([
    { pods: new Set(["shop/orders-1", "shop/orders-2"]), inbound: { name: "shop/orders", ports: [] } },
  ]);
  expect(asked).toEqual(["orders-1", "orders-2"]);
  expect(stderr).toBe(
    "tulle: what the workloads in namespace bank would say is not known: /api/v1/namespaces/bank/pods can't be listed: 403\n",
  );
});

it("uses the other sidecars of a workload if one does not answer, or is cut off", async () => {
  const cut = createServer((socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{", () => socket.resetAndDestroy());
  });
  cut.listen(0, "127.0.0.1");
  await once(cut, "listening");
  onTestFinished(() => void cut.close());
  const asked: string[] = [];
  const mesh = meshIn(async ({ name }) => {
    asked.push(name);
    const { port } = (name === "orders-1" ? cut : sidecar).address() as AddressInfo;
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return socket;
  });
  expect(await readServers(mesh, pods.slice(1))).toMatchObject([{ inbound: { name: "shop/orders" } }]);
  expect(asked).toEqual(["orders-1", "orders-2"]);
  expect(stderr).toBe("");
});

it("marks a workload as unknown if none of its sidecars answers", async () => {
  expect(
    await readServers(
      meshIn(() => Promise.reject(new Error("forbidden"))),
      pods.slice(1),
    ),
  ).toEqual([]);
  expect(stderr).toBe(
    "tulle: what shop/orders would say is not known: no answer from the sidecar of shop/orders-1: forbidden\n",
  );
});
