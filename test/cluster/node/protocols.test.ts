/**
 * What applications speak, through the mesh and under one AccessPolicy that admits one caller: HTTP, WebSocket, gRPC, a protocol
 * in which the server speaks first, and a real Redis and NATS. Each exchange of each caller is accounted for.
 */

import { afterAll, beforeAll, expect, it } from "vitest";
import { apply, counted, eventually, exchange, kubectl, namespace, rolledOut, scenario, service } from "./cluster.ts";

const shop = "node-protocols";
const exchanges = 20;

const speaks = (name: string, port: number) => ({ ports: [{ name, containerPort: port }], ...ready(port) });
const ready = (port: number) => ({ readinessProbe: { tcpSocket: { port }, periodSeconds: 1 } });
const speak = ["/usr/local/bin/node", "speak.mjs"];
const redis = ["redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no"];

beforeAll(async () => {
  await apply([
    ...namespace(shop, true),
    {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name: "friends", namespace: shop },
      spec: { mtls: "strict", rules: [{ from: [{ identity: `spiffe://cluster.local/ns/${shop}/sa/friend` }] }] },
    },
    ...scenario({ namespace: shop, name: "speaker", container: { command: speak, ...speaks("http", 8_080) } }),
    ...scenario({ namespace: shop, name: "redis", container: { command: redis, ...speaks("redis", 6_379) } }),
    ...scenario({ namespace: shop, name: "nats", container: { command: ["nats-server"], ...speaks("client", 4_222) } }),
    ...scenario({ namespace: shop, name: "friend" }),
    ...scenario({ namespace: shop, name: "stranger" }),
    service(shop, "speaker", { app: "speaker" }, [
      { name: "http", port: 80, targetPort: 8_080 },
      { name: "grpc", port: 7_070 },
      // Nothing says what it speaks: the mesh has to find out that its clients wait.
      { name: "lines", port: 9_000 },
    ]),
    service(shop, "redis", { app: "redis" }, [{ name: "redis", port: 6_379 }]),
    service(shop, "nats", { app: "nats" }, [{ name: "client", port: 4_222 }]),
  ]);
  await rolledOut(shop, "speaker", "redis", "nats", "friend", "stranger");
  await kubectl("-n", shop, "wait", "accesspolicy/friends", "--for=condition=Programmed", "--timeout=30s");
  await eventually("a first answer", async () =>
    (await exchange(shop, "friend", "http", "speaker:80"))["200 hello"] === 1 ? true : undefined,
  );
});

afterAll(async () => {
  await kubectl("delete", "namespace", shop, "--wait=false");
});

it.concurrent.for([
  ["http", "speaker:80", "200 hello", /^403 /],
  ["websocket", "speaker:80", "hello", /^Unexpected server response: 403$/],
  ["grpc", "speaker:7070", "hello, one, two", /^PERMISSION_DENIED$/],
  ["lines", "speaker:9000", "220 ready, hello", /^(closed|ECONNRESET)$/],
  ["redis", "redis:6379", "hello", /closed|ECONNRESET/],
  ["nats", "nats:4222", "INFO, MSG topic 1 5, hello", /^(closed|ECONNRESET)$/],
] as const)(
  "carries %s for whom the policy admits, and for nobody else",
  async ([kind, address, heard, refused], { expect }) => {
    expect(await exchange(shop, "friend", kind, address, exchanges)).toEqual({ [heard]: exchanges });
    const outcomes = Object.entries(await exchange(shop, "stranger", kind, address, 3));
    expect(outcomes).toEqual([[expect.stringMatching(refused), 3]]);
  },
);

it("says that these were refused by the policy, and not by chance", async () => {
  const refused = await Promise.all(
    ["speaker", "redis", "nats"].map((name) => counted(shop, `app=${name}`, "tulle_access_refused_total")),
  );
  expect(refused).toEqual([12, 3, 3]);
});
