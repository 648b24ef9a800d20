/** Clients that send anything on their streams, and how the control plane reacts. */

import { createSecureContext } from "node:tls";
import { ChannelCredentials, type ClientDuplexStream, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Resource } from "../../model/resources.ts";
import type { SidecarMessage } from "../../proto/generated/tulle/v1/SidecarMessage.ts";
import type { Update__Output } from "../../proto/generated/tulle/v1/Update.ts";
import { Discovery } from "../../proto/load.ts";
import type { Credentials } from "../../sidecar/identity/credentials.ts";
import { TestAuthority, workloadId } from "../support/authority.ts";
import { eventually } from "../support/eventually.ts";
import { endpoints, PushGround } from "./push-ground.ts";

let ground: PushGround;

beforeEach(async () => {
  ground = await PushGround.open();
});
afterEach(() => ground[Symbol.asyncDispose]());

/** A client that says what it likes. */
function rawStream(credentials: Partial<Credentials>): ClientDuplexStream<SidecarMessage, Update__Output> {
  const context = createSecureContext({
    ca: ground.ca.authority.trustBundlePem,
    cert: credentials.certificateChainPem,
    key: credentials.privateKeyPem,
  });
  const channel = ChannelCredentials.createFromSecureContext(context, { checkServerIdentity: () => undefined });
  const options = { "grpc.ssl_target_name_override": "x", "grpc.enable_retries": 0 };
  const client = new Discovery(ground.plane.address, channel, options);
  ground.stop.addEventListener("abort", () => client.close());
  return client.Stream();
}
const hello: SidecarMessage = { hello: { namespace: "shop", workload: "orders", pod: "orders-1" } };

it("buffers no more for a sidecar that does not read, and tells it the newest state once it does", async () => {
  const big = (port: number): Resource => ({
    kind: "endpoints",
    value: {
      name: "a",
      service: { namespace: "shop", name: "a" },
      protocol: "http1",
      endpoints: Array.from({ length: 2_000 }, (_, i) => ({
        address: `10.0.${i >> 8}.${i & 255}:${port}`,
        pod: `pod-with-a-long-name-${i}`,
        state: "ready",
      })),
    },
  });
  const stream = rawStream(ground.ca.credentials(workloadId("orders")));
  stream.write(hello);
  stream.write({ subscribe: { subscriptions: [{ resource: { kind: "RESOURCE_KIND_ENDPOINTS", name: "a" } }] } });
  const heard: string[] = [];
  stream.on("error", () => {});
  stream.on("data", ({ absent, resources }: Update__Output) => {
    // grpc-js reads without bound until its first message was taken.
    if (absent.length > 0) stream.pause();
    for (const { endpoints } of resources) heard.push(endpoints?.endpoints[0]?.address ?? "");
  });
  await eventually(() => stream.isPaused());
  const subscriber = await ground.sidecar("web").start();
  subscriber.subscribe("a");
  for (let port = 1; port <= 60; port++) {
    ground.plane.publish(big(port));
    await subscriber.heard(`a=${port}`);
  }
  stream.resume();
  await eventually(() => heard.at(-1) === "10.0.0.0:60");
  // Of 60 states that the other reader got, this one got those that fit into the buffers at both ends, and the last.
  expect(heard.length).toBeLessThan(45);
});

it("logs only so many refusals of one stream, however often it changes its mind", async () => {
  ground.plane.publish(endpoints("a", 1));
  const version = ground.plane.snapshot.get("endpoints", "a")?.version ?? "";
  const resource = { kind: "RESOURCE_KIND_ENDPOINTS", name: "a" } as const;
  const stream = rawStream(ground.ca.credentials(workloadId("orders")));
  stream.on("error", () => {});
  stream.on("data", () => {});
  stream.write(hello);
  stream.write({ subscribe: { subscriptions: [{ resource, knownVersion: version }] } });
  for (let turn = 0; turn < 600; turn++) {
    stream.write({ nack: { resource, version, reason: `for the ${turn}th time` } });
    stream.write({ ack: { resource, version } });
  }
  stream.write({ nack: { resource, version, reason: "at last" } });
  await eventually(() => ground.acks("a").nacks[0]?.reason === "at last");
  expect(ground.plane.log.messages.filter((message) => message === "update nacked")).toHaveLength(500);
});

it("forgets a sidecar whose connection breaks, and one that hangs up", async () => {
  const broken = rawStream(ground.ca.credentials(workloadId("orders")));
  const polite = rawStream(ground.ca.credentials(workloadId("web")));
  for (const stream of [broken, polite]) {
    stream.on("error", () => {});
    stream.on("data", () => {});
    stream.write(hello);
    stream.write({ subscribe: { subscriptions: [{ resource: { kind: "RESOURCE_KIND_ENDPOINTS", name: "a" } }] } });
  }
  await eventually(() => ground.acks("a").subscribers === 2);
  broken.cancel();
  polite.end();
  await eventually(() => ground.plane.streamCount === 0);
  expect(ground.plane.hub.subscriberCount).toBe(0);
  expect(ground.plane.hub.acks()).toEqual([]);
});

describe("a stream is refused", () => {
  const endOf = (stream: ClientDuplexStream<SidecarMessage, Update__Output>): Promise<{ code: number }> =>
    new Promise((resolve) => {
      stream.once("status", resolve);
      stream.on("error", () => {});
    });

  it("without a client certificate", async () => {
    const stream = rawStream({});
    stream.write(hello);
    expect((await endOf(stream)).code).toBe(status.UNAVAILABLE);
    expect(ground.plane.hub.subscriberCount).toBe(0);
  });

  it("with a certificate of another root", async () => {
    const other = await TestAuthority.open();
    const stream = rawStream(other.credentials(workloadId("orders")));
    stream.write(hello);
    expect((await endOf(stream)).code).toBe(status.UNAVAILABLE);
    await other[Symbol.asyncDispose]();
  });

  it("with a certificate of another trust domain", async () => {
    const stream = rawStream(ground.ca.credentials("spiffe://elsewhere/ns/shop/sa/orders"));
    stream.write(hello);
    expect((await endOf(stream)).code).toBe(status.PERMISSION_DENIED);
    expect(ground.plane.streamCount).toBe(0);
    expect(ground.plane.hub.subscriberCount).toBe(0);
  });

  it("that does not say who it is in time", async () => {
    await ground.plane.kill();
    ground.plane.helloWithinMs = 100;
    await ground.plane.start();
    const stream = rawStream(ground.ca.credentials(workloadId("orders")));
    expect((await endOf(stream)).code).toBe(status.DEADLINE_EXCEEDED);
    expect(ground.plane.streamCount).toBe(0);
  });

  it("that does not start with hello", async () => {
    const stream = rawStream(ground.ca.credentials(workloadId("orders")));
    stream.write({ subscribe: { subscriptions: [] } });
    expect((await endOf(stream)).code).toBe(status.INVALID_ARGUMENT);
  });

  it("once its certificate expires", async () => {
    await using short = await TestAuthority.open({ folder: ground.ca.folder, leafLifetimeMs: 2_000 });
    const stream = rawStream(short.credentials(workloadId("orders")));
    stream.write(hello);
    await eventually(() => ground.plane.hub.subscriberCount === 1);
    expect((await endOf(stream)).code).toBe(status.UNAUTHENTICATED);
    expect(ground.plane.hub.subscriberCount).toBe(0);
  });

  it("with a name that is too long", async () => {
    const stream = rawStream(ground.ca.credentials(workloadId("orders")));
    stream.write(hello);
    const resource = { kind: "RESOURCE_KIND_ENDPOINTS", name: "x".repeat(600) } as const;
    stream.write({ subscribe: { subscriptions: [{ resource }] } });
    expect((await endOf(stream)).code).toBe(status.INVALID_ARGUMENT);
  });

  it("with a known version that is too long to be one", async () => {
    const stream = rawStream(ground.ca.credentials(workloadId("orders")));
    stream.write(hello);
    const resource = { kind: "RESOURCE_KIND_ENDPOINTS", name: "orders" } as const;
    stream.write({ subscribe: { subscriptions: [{ resource, knownVersion: "x".repeat(200) }] } });
    expect((await endOf(stream)).code).toBe(status.INVALID_ARGUMENT);
  });

  it("with more subscriptions than a sidecar can have", async () => {
    const stream = rawStream(ground.ca.credentials(workloadId("orders")));
    stream.write(hello);
    stream.on("data", () => {});
    for (let part = 0; part <= 32; part++) stream.write(subscriptions(`n${part}`));
    expect((await endOf(stream)).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(ground.plane.hub.acks()).toEqual([]);
  });
});

it("ends the largest stream of the identity that has most, where all have more subscriptions than they may", async () => {
  await ground.plane.kill();
  ground.plane.maxSubscriptions = 100;
  await ground.plane.start();
  const ended: string[] = [];
  const holding = async (name: string, count: number, workload: string): Promise<void> => {
    const stream = rawStream(ground.ca.credentials(workloadId(workload)));
    stream.on("error", () => {});
    stream.once("status", ({ code }: { code: number }) => ended.push(`${name} ${code}`));
    const heard = new Set<string>();
    stream.on("data", ({ absent }: Update__Output) => {
      for (const resource of absent) heard.add(resource.name);
    });
    stream.write(hello);
    const subscriptions = Array.from({ length: count }, (_, at) => {
      return { resource: { kind: "RESOURCE_KIND_ENDPOINTS" as const, name: `${name}-${at}` }, knownVersion: "" };
    });
    stream.write({ subscribe: { subscriptions } });
    await eventually(() => heard.size === count);
  };
  await holding("greedy-1", 30, "greedy");
  await holding("greedy-2", 40, "greedy");
  await holding("honest", 20, "orders");
  await holding("late", 15, "web");
  await eventually(() => ended.length > 0);
  expect(ended).toEqual([`greedy-2 ${status.RESOURCE_EXHAUSTED}`]);
  expect(ground.plane.streamCount).toBe(3);
});

it("takes what a sidecar has that dials as many addresses as it keeps, and knows Endpoints of each", async () => {
  const stream = rawStream(ground.ca.credentials(workloadId("orders")));
  let told = 0;
  stream.on("data", ({ absent }: Update__Output) => (told += absent.length));
  stream.on("error", () => {});
  stream.write(hello);
  // Of the 10,000 that it keeps, and one more: its Inbound.
  for (let part = 0; part <= 20; part++) stream.write(subscriptions(`n${part}`));
  await eventually(() => told === 21_000);
  expect(ground.plane.streamCount).toBe(1);
  stream.cancel();
});

/** To a thousand names. */
function subscriptions(prefix: string) {
  const subscriptions = Array.from({ length: 1_000 }, (_, i) => ({
    resource: { kind: "RESOURCE_KIND_ENDPOINTS", name: `${prefix}-${i}` } as const,
  }));
  return { subscribe: { subscriptions } };
}
