/** Replicas that tell each other, over real mutual TLS, what their sidecars have in force. */

import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { ChannelCredentials, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { StreamServer } from "../../control-plane/grpc/stream-server.ts";
import { SidecarCertificates } from "../../control-plane/identity/sidecar-certificates.ts";
import { PushHub } from "../../control-plane/push/push-hub.ts";
import type { Subscriber } from "../../control-plane/push/subscriber.ts";
import { findReplicas } from "../../control-plane/replicas/find-replicas.ts";
import { followMethod, ReplicaService } from "../../control-plane/replicas/replica-service.ts";
import { OtherReplicas } from "../../control-plane/replicas/replicas.ts";
import { Snapshot } from "../../control-plane/snapshot.ts";
import { Replicas } from "../../proto/load.ts";
import type { Credentials } from "../../sidecar/identity/credentials.ts";
import { TestAuthority, trustDomain, workloadId } from "../support/authority.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";

const name = "catalog.shop.svc.cluster.local:80";
const service = { namespace: "shop", name: "catalog" };

/** A replica as far as it concerns others: sidecars that have acked, and both ends of what it tells. */
class Replica {
  readonly id: string;
  readonly log = new RecordedLog();
  readonly changes: string[] = [];
  readonly snapshot = new Snapshot();
  readonly hub = new PushHub({
    snapshot: this.snapshot,
    clock: performance,
    events: { encoded() {}, written() {}, acked() {}, nacked() {}, refused() {} },
  });
  readonly certificates = new SidecarCertificates(() => "");
  holdings = { trustedRoots: ["aa"], signerKeyId: "01", unwritten: [] as string[] };
  readonly #service: ReplicaService;
  readonly #server: StreamServer;
  #others: OtherReplicas | undefined;
  address = "";

  constructor(id: string) {
    this.id = id;
    const { hub, log } = this;
    this.#service = new ReplicaService({
      replica: id,
      hub,
      certificates: this.certificates,
      holdings: () => this.holdings,
      trustDomain,
      wallClock: Date.now,
      log: log.write,
    });
    this.#server = new StreamServer({
      methods: new Map([[followMethod, this.#service.answer]]),
      certificate: ca.serverCertificate,
      clients: "certificate-required",
      maxMessageBytes: 65_536,
      maxCallsPerConnection: 4,
      clock: performance,
    });
    this.publish("http1");
  }

  async listen(): Promise<void> {
    const port = await this.#server.listen("127.0.0.1", 0);
    this.address = `127.0.0.1:${port}`;
  }

  get others(): OtherReplicas {
    if (this.#others === undefined) throw new Error("not following");
    return this.#others;
  }

  follow(find: () => Promise<readonly string[]>): void {
    this.#others = new OtherReplicas({
      replica: this.id,
      find,
      certificate: () => ca.serverCertificate,
      identity: ca.controlPlaneIdentity,
      onChange: (keys) => this.changes.push(...keys),
      log: this.log.write,
    });
    this.#others.start();
  }

  publish(protocol: "http1" | "http2"): void {
    const value = { name, service, protocol, routes: [] };
    this.snapshot.commit({ published: [{ kind: "destination", value }], withdrawn: [], identities: new Map() });
  }

  sidecar(pod: string): Subscriber {
    const peer = { identity: workloadId("web"), pod, namespace: "shop", workload: "web", proxyVersion: "0.1.0" };
    const subscriber = this.hub.join(peer, () => true);
    this.hub.subscribe(subscriber, "destination", name, "");
    subscriber.flush();
    return subscriber;
  }

  ack(sidecar: Subscriber): void {
    this.hub.ack(sidecar, `destination ${name}`, this.snapshot.get("destination", name)?.version ?? "");
  }

  /** `acked/subscribers` in all replicas. */
  get sum(): string {
    const { acked, subscribers } = this.others.merge(this.hub.acksOf("destination", name));
    return `${acked}/${subscribers}`;
  }

  stop(): void {
    this.#others?.stop();
    this.#service.close();
  }

  /** As when the process dies. */
  async kill(): Promise<void> {
    this.#others?.stop();
    await this.#server.close(0);
    this.hub.close();
  }
}

let ca: TestAuthority;
let replicas: Replica[];

beforeEach(async () => {
  ca = await TestAuthority.open();
  replicas = ["one", "two", "three"].map((id) => new Replica(id));
  for (const replica of replicas) await replica.listen();
});
afterEach(async () => {
  for (const replica of replicas) await replica.kill();
  await ca[Symbol.asyncDispose]();
});

function followEachOther(): readonly [Replica, Replica, Replica] {
  const [one, two, three] = replicas;
  if (one === undefined || two === undefined || three === undefined) throw new Error("three replicas");
  const addresses = replicas.map(({ address }) => address);
  for (const replica of replicas) replica.follow(() => findReplicas(addresses));
  return [one, two, three];
}

it("count the sidecars of all, from the start and at each change", async () => {
  const [one, two, three] = followEachOther();
  const early = two.sidecar("early");
  two.ack(early);
  await eventually(() => one.sum === "1/1");
  const late = three.sidecar("late");
  await eventually(() => one.sum === "1/2" && two.sum === "1/2" && three.sum === "1/2");
  expect(one.others.merge(one.hub.acksOf("destination", name)).laggards).toEqual(["late"]);
  three.ack(late);
  await eventually(() => one.sum === "2/2");
  expect(one.others.wants("destination", name)).toBe(true);
  three.hub.leave(late);
  two.hub.leave(early);
  await eventually(() => one.sum === "0/0");
  expect(one.others.wants("destination", name)).toBe(false);
  expect(one.changes).toContain(`destination ${name}`);
});

it("accept no ack of a version that they do not have themselves", async () => {
  const [one, two] = followEachOther();
  two.ack(two.sidecar("a"));
  await eventually(() => one.sum === "1/1");
  one.publish("http2");
  expect(one.sum).toBe("0/1");
  two.publish("http2");
  await eventually(() => one.sum === "0/1");
});

it("know each other by name, and do not count themselves", async () => {
  const [one] = followEachOther();
  await eventually(() => replicas.every(({ others }) => others.names.length === 2));
  expect(one.others.names).toEqual(["three", "two"]);
  one.ack(one.sidecar("own"));
  expect(one.sum).toBe("1/1");
});

it("forget one that dies, and find it again when it is back", async () => {
  const [one, two] = followEachOther();
  two.ack(two.sidecar("a"));
  await eventually(() => one.sum === "1/1");
  await two.kill();
  await eventually(() => one.sum === "0/0");
  expect(one.log.messages).toContain("replica left");
  const back = new Replica("two, restarted");
  replicas.push(back);
  await back.listen();
  one.others.stop();
  one.follow(async () => [back.address]);
  await eventually(() => one.others.names.includes("two, restarted"));
});

it("notice at once that one stops", async () => {
  const [one, two] = followEachOther();
  await eventually(() => one.others.names.includes("two"));
  two.stop();
  await eventually(() => !one.others.names.includes("two"));
  expect(one.log.lines.find(({ message }) => message === "replica left")?.fields["reason"]).toContain("stopping");
});

it("report what they and their sidecars trust, from the start and at each change", async () => {
  const [one, two] = replicas;
  if (one === undefined || two === undefined) throw new Error("two replicas");
  const { certificateChainPem } = ca.credentials(workloadId("web"));
  const { raw: certificateDer } = new X509Certificate(certificateChainPem);
  const held = (pod: string) => ({
    identity: workloadId("web"),
    namespace: "shop",
    workload: "web",
    pod,
    notAfterMs: 5_000,
    trustedRoots: ["aa"],
  });
  const sidecar = (pod: string) => ({ ...held(pod), certificateDer, renew: () => {} });
  const leave = two.certificates.add(sidecar("early"));
  one.follow(async () => [one.address, two.address]);
  const pods = () => one.others.certificates().replicas.map(({ sidecars }) => sidecars.map(({ pod }) => pod).join());
  expect(one.others.certificates().unheard).toEqual(["names: not looked for yet"]);
  await eventually(() => pods()[0] === "early");
  two.certificates.add(sidecar("late"));
  await eventually(() => pods()[0] === "early,late");
  leave();
  await eventually(() => pods()[0] === "late");
  two.holdings = { trustedRoots: ["aa", "bb"], signerKeyId: "02", unwritten: ["namespace shop"] };
  await eventually(() => one.others.certificates().replicas[0]?.signerKeyId === "02");
  const signerKeyId = ca.authority.issuer.signer.keyId?.toString("hex");
  expect(one.others.certificates()).toEqual({
    replicas: [
      {
        replica: "two",
        ...two.holdings,
        sidecars: [{ ...held("late"), signerKeyId }],
      },
    ],
    unheard: [],
  });
  await two.kill();
  await eventually(() => one.others.certificates().unheard.length === 1);
  expect(one.others.certificates()).toEqual({ replicas: [], unheard: [two.address] });
});

it("report thousands of resources, each once", async () => {
  const [one, two] = replicas;
  const sidecar = two?.hub.join(
    { identity: workloadId("web"), pod: "a", namespace: "shop", workload: "web", proxyVersion: "0" },
    () => true,
  );
  if (one === undefined || two === undefined || sidecar === undefined) throw new Error("two replicas");
  for (let index = 0; index < 3_000; index++) two.hub.subscribe(sidecar, "destination", `d${index}`, "");
  one.follow(async () => [two.address]);
  await eventually(() => new Set(one.changes).size === 3_000);
  expect(one.changes).toHaveLength(3_000);
});

it("continue with what they know while the others can't be found", async () => {
  const [one, two] = replicas;
  if (one === undefined || two === undefined) throw new Error("two replicas");
  two.ack(two.sidecar("a"));
  let fails = false;
  one.follow(async () => {
    if (fails) throw new Error("ENOTFOUND");
    return [two.address];
  });
  await eventually(() => one.sum === "1/1");
  fails = true;
  await eventually(() => one.log.messages.includes("replicas not found"));
  expect(one.sum).toBe("1/1");
});

it.each<[string, () => Credentials]>([
  ["a workload", () => ca.credentials(workloadId("web"))],
  ["one that looks alike", () => ca.credentials(`${ca.controlPlaneIdentity}2`)],
])("tell nothing to %s", async (_, credentials) => {
  const [one] = replicas;
  const { certificateChainPem, privateKeyPem, trustBundlePem } = credentials();
  const context = createSecureContext({ cert: certificateChainPem, key: privateKeyPem, ca: trustBundlePem });
  const channel = ChannelCredentials.createFromSecureContext(context, { checkServerIdentity: () => undefined });
  const client = new Replicas(one?.address ?? "", channel);
  const call = client.Follow({ replica: "x" });
  const tables: unknown[] = [];
  call.on("data", (table) => tables.push(table));
  const code = await new Promise((resolve) => call.on("error", ({ code }: { code?: number } & Error) => resolve(code)));
  client.close();
  expect(code).toBe(status.PERMISSION_DENIED);
  expect(tables).toEqual([]);
  expect(one?.log.messages).toContain("follower refused");
});

it("accept nothing from anyone but the control plane", async () => {
  const [one, two] = replicas;
  if (one === undefined || two === undefined) throw new Error("two replicas");
  const { certificateChainPem, privateKeyPem, trustBundlePem } = ca.credentials(workloadId("web"));
  let asked = false;
  const impostor = new StreamServer({
    methods: new Map([[followMethod, () => void (asked = true)]]),
    certificate: { certificateChainPem, privateKeyPem, trustBundlePem },
    clients: "certificate-required",
    maxMessageBytes: 65_536,
    maxCallsPerConnection: 4,
    clock: performance,
  });
  const port = await impostor.listen("127.0.0.1", 0);
  try {
    one.follow(async () => [`127.0.0.1:${port}`, two.address]);
    await eventually(() => one.others.names.includes("two"));
    expect(one.others.names).toEqual(["two"]);
    expect(asked).toBe(false);
  } finally {
    await impostor.close(0);
  }
});
