/** Sidecars' streams and the control plane's push over real mutual TLS: news, refusals, restarts. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { ChannelCredentials, type ClientDuplexStream, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StreamServer } from "../../control-plane/grpc/stream-server.ts";
import { DiscoveryService, streamMethod } from "../../control-plane/push/discovery-service.ts";
import { PushHub } from "../../control-plane/push/push-hub.ts";
import { Snapshot } from "../../control-plane/snapshot.ts";
import type { Resource } from "../../model/resources.ts";
import type { SidecarMessage } from "../../proto/generated/tulle/v1/SidecarMessage.ts";
import type { Update__Output } from "../../proto/generated/tulle/v1/Update.ts";
import { Discovery } from "../../proto/load.ts";
import { ControlStream, type ControlStreamOptions } from "../../sidecar/discovery/control-stream.ts";
import type { Credentials } from "../../sidecar/identity/credentials.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { HandIdentity, TestAuthority, trustDomain, workloadId } from "../support/authority.ts";
import { makeRoot } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";

const monotonic = { now: () => performance.now() };

/** A control plane's push port; it can be stopped and started again, with the same or another snapshot. */
class ControlPlane {
  readonly ca: TestAuthority;
  snapshot = new Snapshot();
  readonly log = new RecordedLog();
  encoded = 0;
  resourcesWritten = 0;
  port = 0;
  streamLifetimeMs = 60_000;
  hub!: PushHub;
  #server: StreamServer | undefined;
  #service!: DiscoveryService;

  constructor(ca: TestAuthority) {
    this.ca = ca;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get streamCount(): number {
    return this.#service.streamCount;
  }

  async start(): Promise<void> {
    this.hub = new PushHub({
      snapshot: this.snapshot,
      clock: monotonic,
      events: {
        encoded: () => this.encoded++,
        written: () => this.resourcesWritten++,
        acked: () => {},
        nacked: () => {},
        refused: () => {},
      },
    });
    this.#service = new DiscoveryService({
      hub: this.hub,
      streamLifetimeMs: this.streamLifetimeMs,
      trustDomain,
      wallClock: Date.now,
      log: this.log.write,
      onRefused: () => {},
      onReport: () => {},
    });
    this.#server = new StreamServer({
      methods: new Map([[streamMethod, this.#service.answer]]),
      certificate: this.ca.serverCertificate,
      maxMessageBytes: 4_000_000,
      maxCallsPerConnection: 10,
      clock: monotonic,
    });
    this.port = await this.#server.listen("127.0.0.1", this.port);
  }

  /** As when the process dies. */
  async kill(): Promise<void> {
    this.hub.close();
    await this.#server?.close(0);
    this.#server = undefined;
  }

  /** Calls at each pause with its length, and how many streams are left. */
  drain(overMs = 0, onPause: (pauseMs: number, streams: number) => void = () => {}): Promise<void> {
    return this.#service.drain(overMs, async (pauseMs) => onPause(pauseMs, this.#service.streamCount));
  }

  publish(...published: Resource[]): void {
    const identities = published
      .filter(({ kind }) => kind === "inbound")
      .map(({ value }) => [value.name, workloadId(value.name.split("/")[1] ?? "")] as const);
    this.snapshot.commit({ published, withdrawn: [], identities: new Map(identities) });
  }

  withdraw(name: string): void {
    this.snapshot.commit({ published: [], withdrawn: [{ kind: "endpoints", name }], identities: new Map() });
  }
}

const inbound = (name: string, port: number): Resource => ({
  kind: "inbound",
  value: { name, ports: [{ port, protocol: "http1" }] },
});
const endpoints = (name: string, port: number): Resource => ({
  kind: "endpoints",
  value: {
    name,
    service: { namespace: "shop", name },
    protocol: "http1",
    endpoints: [{ address: `10.0.0.1:${port}`, pod: "p", state: "ready" }],
  },
});
const portOf = (resource: Resource | undefined): string =>
  resource?.kind === "endpoints" ? (resource.value.endpoints[0]?.address.split(":")[1] ?? "none") : "absent";

let ca: TestAuthority;
let plane: ControlPlane;
let folder: string;
let stop: AbortController;

beforeEach(async () => {
  ca = await TestAuthority.open();
  plane = new ControlPlane(ca);
  await plane.start();
  folder = await mkdtemp(join(tmpdir(), "tulle-sidecar-"));
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await plane.kill();
  await ca[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

class Sidecar {
  readonly log = new RecordedLog();
  readonly identity: HandIdentity;
  readonly stream: ControlStream;
  /** What was applied, in order: `a=1`, `a=absent`. */
  readonly applied: string[] = [];
  /** Ports that can't be applied. */
  readonly refuses = new Set<string>();

  constructor(serviceAccount: string, options: Partial<ControlStreamOptions> = {}) {
    this.identity = new HandIdentity(workloadId(serviceAccount), ca.credentials(workloadId(serviceAccount)));
    this.stream = new ControlStream({
      endpoints: [plane.address],
      identity: this.identity,
      controlPlaneIdentity: ca.controlPlaneIdentity,
      node: { namespace: "shop", workload: serviceAccount, pod: `${serviceAccount}-1`, proxyVersion: "0.1.0" },
      clock: monotonic,
      wheel: new TimerWheel(monotonic),
      random: Math.random,
      log: this.log.write,
      retry: { initialDelayMs: 10, maxDelayMs: 50 },
      ...options,
    });
  }

  subscribe(name: string): () => void {
    return this.stream.subscribe("endpoints", name, (resource) => {
      const port = portOf(resource);
      if (this.refuses.has(port)) return `port ${port} is cursed`;
      this.applied.push(`${name}=${port}`);
      return undefined;
    });
  }

  async start(): Promise<this> {
    await this.stream.start(stop.signal);
    return this;
  }

  heard(what: string): Promise<void> {
    return eventually(() => this.applied.includes(what));
  }
}

const acks = (name: string) => plane.hub.acksOf("endpoints", name);

describe("a change", () => {
  it("reaches two subscribers with one encoding, and both say so", async () => {
    plane.publish(endpoints("a", 1));
    const sidecars = await Promise.all([new Sidecar("orders").start(), new Sidecar("web").start()]);
    for (const sidecar of sidecars) sidecar.subscribe("a");
    await Promise.all(sidecars.map((sidecar) => sidecar.heard("a=1")));
    plane.publish(endpoints("a", 2));
    await Promise.all(sidecars.map((sidecar) => sidecar.heard("a=2")));
    expect(plane.encoded).toBe(2);
    await eventually(() => acks("a").acked === 2);
    expect(acks("a")).toMatchObject({ subscribers: 2, nacks: [], laggards: [] });
    expect(
      plane.hub
        .peers()
        .map(({ pod }) => pod)
        .sort(),
    ).toEqual(["orders-1", "web-1"]);
  });

  it("is told to each subscription of a name, also to one that comes later", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    sidecar.subscribe("a");
    expect(sidecar.applied).toEqual(["a=1", "a=1"]);
  });

  it("that can't be applied is nacked, and the last good stays in force", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders").start();
    sidecar.refuses.add("2");
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    plane.publish(endpoints("a", 2));
    await eventually(() => acks("a").nacks.length === 1);
    expect(acks("a")).toMatchObject({ acked: 0, nacks: [{ pod: "orders-1", reason: "port 2 is cursed" }] });
    sidecar.subscribe("a");
    expect(sidecar.applied).toEqual(["a=1", "a=1"]);
    plane.publish(endpoints("a", 3));
    await sidecar.heard("a=3");
    await eventually(() => acks("a").acked === 1);
  });

  it("that makes no sense is nacked with all of its faults", async () => {
    const sidecar = await new Sidecar("orders").start();
    sidecar.subscribe("a");
    const broken = endpoints("a", 0);
    plane.publish(broken);
    await eventually(() => acks("a").nacks.length === 1);
    expect(acks("a").nacks[0]?.reason).toBe('endpoints[0].address must be IP:port, got "10.0.0.1:0"');
  });

  it("of a name that is not subscribed any more is not told", async () => {
    const sidecar = await new Sidecar("orders").start();
    const end = sidecar.subscribe("a");
    sidecar.subscribe("b");
    await sidecar.heard("b=absent");
    end();
    await eventually(() => acks("a").subscribers === 0);
    plane.publish(endpoints("a", 1), endpoints("b", 1));
    await sidecar.heard("b=1");
    expect(sidecar.applied).not.toContain("a=1");
  });
});

describe("absence", () => {
  it("of what was never there is an answer, at once", async () => {
    const sidecar = await new Sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=absent");
    expect(sidecar.applied).toEqual(["a=absent"]);
  });

  it("is believed of a control plane that has been there for a while", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders", { absenceGraceMs: 0 }).start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    plane.withdraw("a");
    await sidecar.heard("a=absent");
    expect(sidecar.applied).toEqual(["a=1", "a=absent"]);
  });

  it("deletes nothing at once when the control plane comes back empty", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    await plane.kill();
    plane.snapshot = new Snapshot();
    await plane.start();
    await eventually(() => sidecar.log.messages.includes("kept although said to be gone"));
    expect(sidecar.applied).toEqual(["a=1"]);
    plane.publish(endpoints("a", 1));
    await eventually(() => acks("a").acked === 1);
    plane.publish(endpoints("a", 2));
    await sidecar.heard("a=2");
    expect(sidecar.applied).toEqual(["a=1", "a=2"]);
  });

  it("is believed in the end when the control plane stays empty", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders", { absenceGraceMs: 100 }).start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    await plane.kill();
    plane.snapshot = new Snapshot();
    await plane.start();
    await sidecar.heard("a=absent");
    expect(sidecar.log.messages).toContain("kept although said to be gone");
  });
});

describe("a control plane that dies and comes back", () => {
  it("sends nothing that is known, and what has changed", async () => {
    plane.publish(endpoints("a", 1), endpoints("b", 1));
    const sidecar = await new Sidecar("orders").start();
    const connected: boolean[] = [];
    sidecar.stream.onConnected((is) => connected.push(is));
    sidecar.subscribe("a");
    sidecar.subscribe("b");
    await sidecar.heard("b=1");
    await plane.kill();
    await eventually(() => !sidecar.stream.connected);
    plane.snapshot = new Snapshot();
    plane.publish(endpoints("a", 1), endpoints("b", 2));
    plane.encoded = 0;
    await plane.start();
    await sidecar.heard("b=2");
    expect(sidecar.applied).toEqual(["a=1", "b=1", "b=2"]);
    expect(plane.encoded).toBe(1);
    await eventually(() => acks("a").acked === 1 && acks("b").acked === 1);
    expect(connected).toEqual([true, false, true]);
  });

  it("is not needed by a sidecar that restarts meanwhile", async () => {
    plane.publish(endpoints("a", 1));
    const before = await new Sidecar("orders", { stateFolder: folder }).start();
    before.subscribe("a");
    await before.heard("a=1");
    await before.stream.flush();
    stop.abort();
    stop = new AbortController();
    await plane.kill();
    const after = await new Sidecar("orders", { stateFolder: folder }).start();
    after.subscribe("a");
    expect(after.applied).toEqual(["a=1"]);
    const early = new Sidecar("orders", { stateFolder: folder });
    early.subscribe("a");
    await early.start();
    expect(early.applied).toEqual(["a=1"]);
    plane.publish(endpoints("a", 2));
    await plane.start();
    await after.heard("a=2");
  });

  it("is asked anew where what was kept can't be applied any more", async () => {
    plane.publish(endpoints("a", 1));
    const before = await new Sidecar("orders", { stateFolder: folder }).start();
    before.subscribe("a");
    await before.heard("a=1");
    await before.stream.flush();
    stop.abort();
    stop = new AbortController();
    const after = await new Sidecar("orders", { stateFolder: folder }).start();
    after.refuses.add("1");
    after.subscribe("a");
    await eventually(() => acks("a").nacks.length === 1);
    expect(after.applied).toEqual([]);
  });

  it("is asked where what was kept is damaged", async () => {
    plane.publish(endpoints("a", 1));
    await writeFile(join(folder, "resources.binpb"), Buffer.from("ffffffff", "hex"));
    const sidecar = await new Sidecar("orders", { stateFolder: folder }).start();
    expect(sidecar.log.messages).toContain("kept resources not usable");
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
  });

  it("is left for another endpoint that answers", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders", { endpoints: ["127.0.0.1:1", plane.address] }).start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    expect(sidecar.log.messages.slice(0, 2)).toEqual(["control plane not reached", "connected to the control plane"]);
  });

  it("says goodbye when it stops, and is found again", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    await plane.drain();
    await eventually(() => sidecar.log.messages.includes("control plane lost"));
    const lost = sidecar.log.lines.find(({ message }) => message === "control plane lost");
    expect(lost?.fields["reason"]).toContain("the control plane is stopping");
    await eventually(() => sidecar.stream.connected);
  });

  it("sends its sidecars away one by one", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const sidecars = await Promise.all(names.map((name) => new Sidecar(name).start()));
    await eventually(() => sidecars.every(({ stream }) => stream.connected));
    const pauses: [pauseMs: number, streams: number][] = [];
    await plane.drain(1_000, (pauseMs, streams) => pauses.push([pauseMs, streams]));
    expect(pauses).toEqual([4, 3, 2, 1, 0].map((left) => [200, left]));
  });

  it("ends streams that are old, so that sidecars come to replicas that are new", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    await plane.kill();
    plane.streamLifetimeMs = 200;
    await plane.start();
    const reasons = () => sidecar.log.lines.map(({ fields }) => fields["reason"]);
    await expect.poll(reasons, { timeout: 5_000 }).toContainEqual(expect.stringContaining("this stream is old"));
    plane.publish(endpoints("a", 2));
    await sidecar.heard("a=2");
  });
});

describe("new credentials", () => {
  it("are used for a new stream, which is up before the former one ends", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    const connected: boolean[] = [];
    sidecar.stream.onConnected((is) => connected.push(is));
    sidecar.identity.rotate(ca.credentials(workloadId("orders")));
    const greetings = () => plane.log.messages.filter((message) => message === "sidecar connected").length;
    await eventually(() => greetings() === 2 && plane.hub.subscriberCount === 1);
    plane.publish(endpoints("a", 2));
    await sidecar.heard("a=2");
    expect(connected).toEqual([]);
    expect(sidecar.applied).toEqual(["a=1", "a=2"]);
  });

  it("that the control plane refuses leave the former stream in use", async () => {
    plane.publish(endpoints("a", 1));
    const sidecar = await new Sidecar("orders").start();
    sidecar.subscribe("a");
    await sidecar.heard("a=1");
    sidecar.identity.rotate({ ...ca.credentials(workloadId("orders")), trustBundlePem: makeRoot().pem });
    await eventually(() => sidecar.log.messages.includes("control plane not reached"));
    plane.publish(endpoints("a", 2));
    await sidecar.heard("a=2");
    expect(sidecar.stream.connected).toBe(true);
  });
});

/** A client that says what it likes. */
function rawStream(credentials: Partial<Credentials>): ClientDuplexStream<SidecarMessage, Update__Output> {
  const context = createSecureContext({
    ca: ca.authority.trustBundlePem,
    cert: credentials.certificateChainPem,
    key: credentials.privateKeyPem,
  });
  const channel = ChannelCredentials.createFromSecureContext(context, { checkServerIdentity: () => undefined });
  const options = { "grpc.ssl_target_name_override": "x", "grpc.enable_retries": 0 };
  const client = new Discovery(plane.address, channel, options);
  stop.signal.addEventListener("abort", () => client.close());
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
  const stream = rawStream(ca.credentials(workloadId("orders")));
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
  const subscriber = await new Sidecar("web").start();
  subscriber.subscribe("a");
  for (let port = 1; port <= 60; port++) {
    plane.publish(big(port));
    await subscriber.heard(`a=${port}`);
  }
  stream.resume();
  await eventually(() => heard.at(-1) === "10.0.0.0:60");
  // Of 60 states that the other reader got, this one got those that fit into the buffers at both ends, and the last.
  expect(heard.length).toBeLessThan(45);
});

it("forgets a sidecar whose connection breaks, and one that hangs up", async () => {
  const broken = rawStream(ca.credentials(workloadId("orders")));
  const polite = rawStream(ca.credentials(workloadId("web")));
  for (const stream of [broken, polite]) {
    stream.on("error", () => {});
    stream.on("data", () => {});
    stream.write(hello);
    stream.write({ subscribe: { subscriptions: [{ resource: { kind: "RESOURCE_KIND_ENDPOINTS", name: "a" } }] } });
  }
  await eventually(() => acks("a").subscribers === 2);
  broken.cancel();
  polite.end();
  await eventually(() => plane.streamCount === 0);
  expect(plane.hub.subscriberCount).toBe(0);
  expect(plane.hub.acks()).toEqual([]);
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
    expect(plane.hub.subscriberCount).toBe(0);
  });

  it("with a certificate of another root", async () => {
    const other = await TestAuthority.open();
    const stream = rawStream(other.credentials(workloadId("orders")));
    stream.write(hello);
    expect((await endOf(stream)).code).toBe(status.UNAVAILABLE);
    await other[Symbol.asyncDispose]();
  });

  it("with a certificate of another trust domain", async () => {
    const stream = rawStream(ca.credentials("spiffe://elsewhere/ns/shop/sa/orders"));
    stream.write(hello);
    expect((await endOf(stream)).code).toBe(status.PERMISSION_DENIED);
    expect(plane.streamCount).toBe(0);
    expect(plane.hub.subscriberCount).toBe(0);
  });

  it("that does not start with hello", async () => {
    const stream = rawStream(ca.credentials(workloadId("orders")));
    stream.write({ subscribe: { subscriptions: [] } });
    expect((await endOf(stream)).code).toBe(status.INVALID_ARGUMENT);
  });

  it("once its certificate expires", async () => {
    await using short = await TestAuthority.open({ folder: ca.folder, leafLifetimeMs: 2_000 });
    const stream = rawStream(short.credentials(workloadId("orders")));
    stream.write(hello);
    await eventually(() => plane.hub.subscriberCount === 1);
    expect((await endOf(stream)).code).toBe(status.UNAUTHENTICATED);
    expect(plane.hub.subscriberCount).toBe(0);
  });

  it("with a name that is too long", async () => {
    const stream = rawStream(ca.credentials(workloadId("orders")));
    stream.write(hello);
    const resource = { kind: "RESOURCE_KIND_ENDPOINTS", name: "x".repeat(600) } as const;
    stream.write({ subscribe: { subscriptions: [{ resource }] } });
    expect((await endOf(stream)).code).toBe(status.INVALID_ARGUMENT);
  });

  it("with more subscriptions than a sidecar can have", async () => {
    const stream = rawStream(ca.credentials(workloadId("orders")));
    stream.write(hello);
    stream.on("data", () => {});
    for (let part = 0; part < 11; part++) {
      const subscriptions = Array.from({ length: 1_000 }, (_, i) => ({
        resource: { kind: "RESOURCE_KIND_ENDPOINTS", name: `n${part}-${i}` } as const,
      }));
      stream.write({ subscribe: { subscriptions } });
    }
    expect((await endOf(stream)).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(plane.hub.acks()).toEqual([]);
  });
});

describe("another workload's inbound", () => {
  it("is not told, whatever the stream says of itself, and the rest of the stream goes on", async () => {
    plane.publish(inbound("shop/payments", 8080), endpoints("a", 1));
    const thief = new Sidecar("orders", {
      node: { namespace: "shop", workload: "payments", pod: "payments-1", proxyVersion: "0.1.0" },
    });
    const told: (Resource | undefined)[] = [];
    thief.stream.subscribe("inbound", "shop/payments", (resource) => {
      told.push(resource);
      return undefined;
    });
    thief.subscribe("a");
    await thief.start();
    await thief.heard("a=1");
    expect(told).toEqual([undefined]);
    expect(thief.log.messages).toContain("subscription refused");
  });

  it("is told to its own workload", async () => {
    plane.publish(inbound("shop/payments", 8080));
    const sidecar = await new Sidecar("payments").start();
    const told: (Resource | undefined)[] = [];
    sidecar.stream.subscribe("inbound", "shop/payments", (resource) => {
      told.push(resource);
      return undefined;
    });
    await eventually(() => told.length > 0);
    expect(told).toEqual([inbound("shop/payments", 8080)]);
  });
});
