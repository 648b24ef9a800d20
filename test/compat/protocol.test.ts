/**
 * Control plane and sidecars may be of different releases during an upgrade. Each kept release meets today's code here, both
 * ways: what it wrote is read, what is written now is read by it, and its clients and servers talk to ours over real TLS.
 */

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { ChannelCredentials, Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StreamServer } from "../../control-plane/grpc/stream-server.ts";
import { DiscoveryService, streamMethod } from "../../control-plane/push/discovery-service.ts";
import { PushHub } from "../../control-plane/push/push-hub.ts";
import { Snapshot } from "../../control-plane/snapshot.ts";
import type { Resource } from "../../model/resources.ts";
import { decodeResource, decodeUpdate } from "../../proto/decode.ts";
import type { SidecarMessage__Output } from "../../proto/generated/tulle/v1/SidecarMessage.ts";
import type { Update, Update__Output } from "../../proto/generated/tulle/v1/Update.ts";
import { ControlStream } from "../../sidecar/discovery/control-stream.ts";
import { buildCertificateRequest } from "../../sidecar/identity/certificate-request.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { HandIdentity, TestAuthority, trustDomain, workloadId } from "../support/authority.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { grpcOf, type Release, releases, typesOf, updateFor } from "./release.ts";

const today = typesOf(join(import.meta.dirname, "../../proto"));
const clock = { now: () => performance.now() };

/** Enum fields whose number the types of a release have no name for: it would refuse the resource. */
function unknownValues(type: protobuf.Type, message: protobuf.Message, path: string): string[] {
  return type.fieldsArray.flatMap((field) => {
    field.resolve();
    const value: unknown = new Map<string, unknown>(Object.entries(message)).get(field.name);
    const values = value === undefined || value === null ? [] : [value].flat();
    const { resolvedType } = field;
    if (resolvedType instanceof protobuf.Enum)
      return values
        .map(Number)
        .filter((number) => resolvedType.valuesById[number] === undefined)
        .map((number) => `${path}.${field.name}=${number}`);
    if (!(resolvedType instanceof protobuf.Type)) return [];
    return values.flatMap((inner) => unknownValues(resolvedType, inner as protobuf.Message, `${path}.${field.name}`));
  });
}

/** `3 repeated .tulle.v1.Route routes`; of an enum its values. */
function shapeOf(type: protobuf.Type | protobuf.Enum): string[] {
  if (type instanceof protobuf.Enum) return Object.entries(type.values).map(([name, number]) => `${number} ${name}`);
  return type.fieldsArray.map((field) => {
    field.resolve();
    const label = field.repeated ? "repeated " : "";
    const group = field.partOf === null ? "" : ` in ${field.partOf.name}`;
    return `${field.id} ${label}${field.resolvedType?.fullName ?? field.type} ${field.name}${group}`;
  });
}

describe.each(releases().map((release) => [release.version, release] as const))("of release %s", (_, release) => {
  const { protoFolder, pushes } = release;
  const types = typesOf(protoFolder);

  it.each([...types])("%s has every field and value that it had, under its number and with its type", (name, type) => {
    const now = today.get(name);
    expect(now === undefined ? ["gone"] : shapeOf(now)).toEqual(expect.arrayContaining(shapeOf(type)));
  });

  it.each(pushes.map((push) => [push.name, push] as const))("the push of %s is applied as it was", (_, { update }) => {
    const { resources } = decodeUpdate(update);
    expect(resources.length).toBeGreaterThan(0);
    for (const resource of resources) expect(decodeResource(resource)).toMatchObject({ ok: true });
  });

  it.each(pushes.map((push) => [push.name, push] as const))(
    "sidecars understand what is pushed now for %s",
    (name, { manifest }) => {
      const type = types.get(".tulle.v1.Update");
      if (!(type instanceof protobuf.Type)) throw new Error("it has no Update");
      const message = type.decode(updateFor(manifest, `${name}.in.yaml`));
      expect(unknownValues(type, message, "update")).toEqual([]);
    },
  );

  it("a sidecar gets a certificate and its resources, and its acks count", async () => {
    expect(await oldSidecar(release)).toMatchObject({ acked: 1, pods: ["web-1"] });
  });

  it("a control plane serves today's sidecar, and reads its acks", async () => {
    const { hello, applied, acked } = await oldControlPlane(release);
    expect(hello).toMatchObject({ message: "hello", hello: { pod: "web-1" } });
    expect(applied.length).toBeGreaterThan(0);
    expect(acked).toEqual(applied);
  });
});

let ca: TestAuthority;
let stop: AbortController;
const servers = new Set<Server>();

beforeEach(async () => {
  ca = await TestAuthority.open();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  for (const server of servers) server.forceShutdown();
  servers.clear();
  await ca[Symbol.asyncDispose]();
});

/** By grpc-js, as releases once did. */
async function serve(add: (server: Server) => void): Promise<string> {
  const server = new Server();
  add(server);
  servers.add(server);
  const { certificateChainPem, privateKeyPem, trustBundlePem } = ca.serverCertificate;
  const pair = { cert_chain: Buffer.from(certificateChainPem), private_key: Buffer.from(privateKeyPem) };
  const credentials = ServerCredentials.createSsl(Buffer.from(trustBundlePem), [pair], true);
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, port) =>
      error === null ? resolve(`127.0.0.1:${port}`) : reject(error),
    );
  });
}

const resource: Resource = {
  kind: "endpoints",
  value: {
    name: "orders.shop.svc.cluster.local:80",
    service: { namespace: "shop", name: "orders" },
    protocol: "http1",
    endpoints: [{ address: "10.0.0.1:8080", pod: "orders-1", state: "ready" }],
  },
};
const { name } = resource.value;

/** Its client meets today's Identity and Discovery, to its first ack. */
async function oldSidecar({ protoFolder }: Release): Promise<{ acked: number; pods: readonly string[] }> {
  const { Identity, Discovery } = grpcOf(protoFolder).tulle.v1;
  await ca.serve();
  const channel = (client: { key?: string; cert?: string }) => {
    const context = createSecureContext({ ca: ca.authority.trustBundlePem, ...client });
    return ChannelCredentials.createFromSecureContext(context, { checkServerIdentity: () => undefined });
  };
  const options = { "grpc.ssl_target_name_override": "x" };
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const identity = new Identity(ca.address, channel({}), options);
  const request = { csrDer: buildCertificateRequest(privateKey), token: await ca.token("web") };
  const chain = await new Promise<readonly Buffer[]>((resolve, reject) => {
    identity.Issue(request, (error, answer) => (error ? reject(error) : resolve(answer?.certificateChainDer ?? [])));
  });
  identity.close();
  const cert = chain.map((der) => new X509Certificate(der).toString()).join("");
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();

  const snapshot = new Snapshot();
  snapshot.commit({ published: [resource], withdrawn: [], identities: new Map() });
  const nothing = () => {};
  const events = { encoded: nothing, written: nothing, acked: nothing, nacked: nothing, refused: nothing };
  const hub = new PushHub({ snapshot, clock, events });
  const service = new DiscoveryService({
    hub,
    streamLifetimeMs: 60_000,
    trustDomain,
    wallClock: Date.now,
    random: () => 0.5,
    log: new RecordedLog().write,
    onRefused: nothing,
    onReport: nothing,
  });
  const server = new StreamServer({
    methods: new Map([[streamMethod, service.answer]]),
    certificate: ca.serverCertificate,
    clients: "certificate-required",
    maxMessageBytes: 4_000_000,
    maxCallsPerConnection: 10,
    clock,
  });
  const address = `127.0.0.1:${await server.listen("127.0.0.1", 0)}`;
  const discovery = new Discovery(address, channel({ key, cert }), options);
  const stream = discovery.Stream();
  stream.on("error", nothing); // the test ends before it
  stream.on("data", ({ resources }: Update__Output) => {
    for (const { name, version } of resources)
      stream.write({ ack: { resource: { kind: "RESOURCE_KIND_ENDPOINTS", name }, version } });
  });
  stream.write({ hello: { namespace: "shop", workload: "web", pod: "web-1", proxyVersion: "0.1.0" } });
  stream.write({
    subscribe: { subscriptions: [{ resource: { kind: "RESOURCE_KIND_ENDPOINTS", name }, knownVersion: "" }] },
  });
  await eventually(() => hub.acksOf("endpoints", name).acked === 1);
  const seen = { acked: hub.acksOf("endpoints", name).acked, pods: hub.peers().map(({ pod }) => pod) };
  discovery.close();
  hub.close();
  await server.close(0);
  return seen;
}

/** Its server meets today's sidecar, until all is acked. */
async function oldControlPlane({ protoFolder, pushes }: Release): Promise<{
  readonly hello: SidecarMessage__Output | undefined;
  readonly applied: readonly string[];
  readonly acked: readonly string[];
}> {
  const { Discovery } = grpcOf(protoFolder).tulle.v1;
  const [push] = pushes.filter((candidate) => candidate.name === "retry-timeout-breaker");
  const pushed = decodeUpdate(push?.update ?? Buffer.alloc(0)).resources.filter(({ body }) => body === "destination");
  const heard: SidecarMessage__Output[] = [];
  const address = await serve((server) =>
    server.addService(Discovery.service, {
      Stream: (call: ServerDuplexStream<SidecarMessage__Output, Update>) => {
        call.on("data", (message: SidecarMessage__Output) => {
          heard.push(message);
          if (message.message === "subscribe") call.write({ resources: pushed });
        });
        call.on("end", () => call.end());
      },
    }),
  );
  const stream = new ControlStream({
    endpoints: [address],
    identity: new HandIdentity(workloadId("web"), ca.credentials(workloadId("web"))),
    controlPlaneIdentity: ca.controlPlaneIdentity,
    node: { namespace: "shop", workload: "web", pod: "web-1", proxyVersion: "0.2.0" },
    clock,
    wheel: new TimerWheel(clock),
    random: Math.random,
    log: new RecordedLog().write,
    retry: { initialDelayMs: 10, maxDelayMs: 50 },
  });
  const applied: string[] = [];
  for (const { name } of pushed) {
    stream.subscribe("destination", name, (given) => {
      if (given !== undefined) applied.push(given.value.name);
      return undefined;
    });
  }
  await stream.start(stop.signal);
  const acked = () => heard.flatMap(({ message, ack }) => (message === "ack" ? (ack?.resource?.name ?? "") : []));
  await eventually(() => acked().length >= pushed.length);
  return { hello: heard[0], applied, acked: acked() };
}
