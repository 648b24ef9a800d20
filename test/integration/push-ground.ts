/** Sidecars' streams and the control plane's push over real mutual TLS, as the tests of both begin. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StreamServer } from "../../control-plane/grpc/stream-server.ts";
import { DiscoveryService, streamMethod } from "../../control-plane/push/discovery-service.ts";
import { PushHub } from "../../control-plane/push/push-hub.ts";
import { Snapshot } from "../../control-plane/snapshot.ts";
import type { Resource } from "../../model/resources.ts";
import { ControlStream, type ControlStreamOptions } from "../../sidecar/discovery/control-stream.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { HandIdentity, TestAuthority, trustDomain, workloadId } from "../support/authority.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";

const monotonic = { now: () => performance.now() };

/** A control plane's push port; it can be stopped and started again, with the same or another snapshot. */
export class ControlPlane {
  readonly ca: TestAuthority;
  snapshot = new Snapshot();
  readonly log = new RecordedLog();
  encoded = 0;
  resourcesWritten = 0;
  port = 0;
  streamLifetimeMs = 60_000;
  helloWithinMs = 10_000;
  maxSubscriptions = 1_000_000;
  /** What chance says. */
  random = 0.5;
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
      helloWithinMs: this.helloWithinMs,
      maxSubscriptions: this.maxSubscriptions,
      trustDomain,
      wallClock: Date.now,
      random: () => this.random,
      log: this.log.write,
      onRefused: () => {},
      onReport: () => {},
    });
    this.#server = new StreamServer({
      methods: new Map([[streamMethod, this.#service.answer]]),
      certificate: this.ca.serverCertificate,
      clients: "certificate-required",
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

export const inbound = (name: string, port: number): Resource => ({
  kind: "inbound",
  value: { name, ports: [{ port, protocol: "http1" }] },
});
export const endpoints = (name: string, port: number): Resource => ({
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

/** A control plane's push, and sidecars' streams to it, for one test. */
export class PushGround implements AsyncDisposable {
  readonly ca: TestAuthority;
  readonly plane: ControlPlane;
  /** Where sidecars may keep what they were told. */
  readonly folder: string;
  #stop = new AbortController();

  private constructor(ca: TestAuthority, plane: ControlPlane, folder: string) {
    this.ca = ca;
    this.plane = plane;
    this.folder = folder;
  }

  static async open(): Promise<PushGround> {
    const ca = await TestAuthority.open();
    const plane = new ControlPlane(ca);
    await plane.start();
    return new PushGround(ca, plane, await mkdtemp(join(tmpdir(), "tulle-sidecar-")));
  }

  /** Of the sidecars that are there now. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  sidecar(serviceAccount: string, options: Partial<ControlStreamOptions> = {}): Sidecar {
    return new Sidecar(this, serviceAccount, options);
  }

  /** All that are there now; later ones are others. */
  stopSidecars(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
  }

  acks(name: string): ReturnType<PushHub["acksOf"]> {
    return this.plane.hub.acksOf("endpoints", name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.plane.kill();
    await this.ca[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export class Sidecar {
  readonly #stop: AbortSignal;
  readonly log = new RecordedLog();
  readonly identity: HandIdentity;
  readonly stream: ControlStream;
  /** What was applied, in order: `a=1`, `a=absent`. */
  readonly applied: string[] = [];
  /** Ports that can't be applied. */
  readonly refuses = new Set<string>();

  constructor({ ca, plane, stop }: PushGround, serviceAccount: string, options: Partial<ControlStreamOptions> = {}) {
    this.#stop = stop;
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
    await this.stream.start(this.#stop);
    return this;
  }

  heard(what: string): Promise<void> {
    return eventually(() => this.applied.includes(what));
  }
}
