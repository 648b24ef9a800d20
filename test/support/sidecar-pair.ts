/** Sidecars in this process, each on its own loopback address, with resources supplied by the test. */

import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import type { Clock } from "../../model/clock.ts";
import type { Locality } from "../../model/endpoint-choice.ts";
import type { AccessLog } from "../../model/policy.ts";
import type { Destination, Endpoints, Inbound, Protocol, Resource, ResourceKind } from "../../model/resources.ts";
import type { Upstream } from "../../model/upstream.ts";
import { RequestTaps } from "../../sidecar/debug/request-taps.ts";
import type { Apply, GoodResource } from "../../sidecar/discovery/held-resource.ts";
import { proveDirectWrites } from "../../sidecar/net/direct-writes.ts";
import type { ReadOriginalDestination } from "../../sidecar/net/original-destination.ts";
import { proveSharedReads } from "../../sidecar/net/shared-reads.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { plainPort } from "../../sidecar/ports.ts";
import { type Follow, Sidecar } from "../../sidecar/sidecar.ts";
import { createSidecarMetrics, type SidecarMetrics } from "../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../sidecar/telemetry/registry.ts";
import type { SpanSink } from "../../sidecar/telemetry/span.ts";
import { IdSource } from "../../sidecar/telemetry/trace-context.ts";
import { jsonLog, type Log } from "../../system/log.ts";
import { answerTo } from "./answer-to.ts";
import { HandIdentity, TestAuthority, trustDomain, workloadId } from "./authority.ts";

/** Resources that a control plane would push, set by hand. */
export class HandResources {
  readonly #values = new Map<string, GoodResource>();
  readonly #followers = new Map<string, Set<Apply>>();
  readonly nacks: string[] = [];
  #versions = 0;

  /** Sets a resource under a new version: `v1`, `v2` … */
  set(resource: Resource): void {
    const key = `${resource.kind} ${resource.value.name}`;
    const version = `v${++this.#versions}`;
    this.#values.set(key, { resource, version });
    for (const apply of this.#followers.get(key) ?? []) {
      const refused = apply(resource, version);
      if (refused !== undefined) this.nacks.push(refused);
    }
  }

  get(kind: ResourceKind, name: string): Resource | undefined {
    return this.#values.get(`${kind} ${name}`)?.resource;
  }

  remove(kind: ResourceKind, name: string): void {
    this.#values.delete(`${kind} ${name}`);
    for (const apply of this.#followers.get(`${kind} ${name}`) ?? []) apply(undefined, undefined);
  }

  readonly follow: Follow = (kind: ResourceKind, name, apply) => {
    const key = `${kind} ${name}`;
    const followers = this.#followers.get(key) ?? new Set();
    this.#followers.set(key, followers.add(apply));
    const known = this.#values.get(key);
    apply(known?.resource, known?.version);
    return () => followers.delete(apply);
  };

  /** Follows only Inbounds, like a control plane that does not answer about dialled destinations. */
  readonly followInboundAlone: Follow = (kind, name, apply) =>
    kind === "inbound" ? this.follow(kind, name, apply) : () => {};
}

let lastHost = 1;

/** A loopback address that no other running test has, in this process or another: each process has its own block, by its id. */
export function nextPodIp(): string {
  return `127.${128 + ((process.pid >> 8) & 127)}.${process.pid & 255}.${lastHost++}`;
}

/** Simulates iptables redirecting a connection to the plaintext port; `test/threats/in-the-clear` uses real rules. */
export function redirectedTo(host: string, port: number): ReadOriginalDestination {
  return ({ localPort }) => (localPort === plainPort ? { host, port } : undefined);
}

export interface TestSidecar {
  readonly sidecar: Sidecar;
  readonly podIp: string;
  readonly identity: HandIdentity;
  readonly metrics: SidecarMetrics;
  readonly taps: RequestTaps;
}

export interface SidecarChoices {
  readonly podIp?: string;
  readonly port?: number;
  readonly protocol?: Protocol;
  readonly outboundMtls?: "required";
  readonly routeBy?: "host";
  readonly outside?: "deny";
  readonly upstreams?: readonly Upstream[];
  readonly locality?: Locality;
  readonly originalDestination?: ReadOriginalDestination;
  readonly maxConnections?: number;
  readonly redisUrlFile?: string;
  /** Receives spans; absent: none are recorded. Only a policy makes a trace sampled. */
  readonly spans?: SpanSink;
  /** Receives all spans of errors; absent: none are recorded. */
  readonly errorSpans?: SpanSink;
  /** Which requests get a line in the log; absent: none. */
  readonly accessLog?: AccessLog;
  /** Nobody answers about dialled destinations. */
  readonly silent?: true;
  /** Absent: errors are written to stderr. */
  readonly log?: Log;
  /** Lets a test advance time by hand, instead of waiting. */
  readonly time?: { readonly clock: Clock; readonly wheel: TimerWheel };
}

export class TestMesh implements AsyncDisposable {
  readonly authority: TestAuthority;
  readonly resources = new HandResources();
  readonly #closing: (() => void)[] = [];

  private constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  static async open(options: { leafLifetimeMs?: number } = {}): Promise<TestMesh> {
    // As a sidecar's process does.
    await Promise.all([proveSharedReads(), proveDirectWrites()]);
    return new TestMesh(await TestAuthority.open(options));
  }

  async sidecar(workload: string, options: SidecarChoices = {}): Promise<TestSidecar> {
    const { podIp = nextPodIp(), originalDestination } = options;
    const spiffeId = workloadId(workload);
    const identity = new HandIdentity(spiffeId, this.authority.credentials(spiffeId));
    const { clock, wheel } = options.time ?? { clock: performance, wheel: new TimerWheel(performance) };
    const metrics = createSidecarMetrics(new MetricRegistry({ labels: {} }));
    const taps = new RequestTaps(clock);
    const ports: Inbound["ports"] = [{ port: options.port ?? 8080, protocol: options.protocol ?? "detect" }];
    this.resources.set({ kind: "inbound", value: { name: `shop/${workload}`, ports } });
    const sidecar = new Sidecar({
      namespace: "shop",
      workload,
      podIp,
      locality: options.locality ?? {},
      trustDomain,
      identity,
      follow: options.silent ? this.resources.followInboundAlone : this.resources.follow,
      upstreams: options.upstreams ?? [],
      outboundMtls: options.outboundMtls ?? "preferred",
      routeBy: options.routeBy ?? "address",
      outside: options.outside ?? "allow",
      clock,
      wheel,
      random: Math.random,
      unixNow: Date.now,
      metrics,
      tracer: {
        sampler: { ratio: 0, parentBased: true },
        ids: new IdSource(),
        clock,
        sink: options.spans,
        errors: options.errorSpans && { sink: options.errorSpans, admit: () => true },
      },
      accessLog: options.accessLog ?? { requests: "none", ratio: 1 },
      taps,
      log: options.log ?? jsonLog("sidecar", { level: "error" }, (line) => process.stderr.write(line)),
      ...(originalDestination === undefined ? {} : { originalDestination }),
      ...(options.redisUrlFile !== undefined && { redisUrlFile: options.redisUrlFile }),
      ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
    });
    await sidecar.start();
    this.#closing.push(() => sidecar.close());
    return { sidecar, podIp, identity, metrics, taps };
  }

  /** An HTTP application on a port of a pod. */
  async application(podIp: string, listener: http.RequestListener, port = 8080): Promise<http.Server> {
    const server = http.createServer(listener);
    server.listen(port, podIp);
    await once(server, "listening");
    this.#closing.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return server;
  }

  /** A Service with one backend, as the compiler produces it. */
  service(
    name: string,
    endpoints: Endpoints["endpoints"],
    more: Partial<Destination["routes"][number]> = {},
    protocol: Protocol = "detect",
  ): void {
    this.backend(name, endpoints);
    const service = { namespace: "shop", name };
    const full = `${name}.shop.svc.cluster.local:80`;
    this.resources.set({
      kind: "destination",
      value: {
        name: full,
        service,
        protocol,
        routes: [
          {
            name: "default",
            matches: [],
            backends: [{ endpoints: full, service, weight: 1 }],
            timeout: { connectMs: 1_000 },
            ...more,
          },
        ],
      },
    });
  }

  backend(name: string, endpoints: Endpoints["endpoints"], more: Partial<Endpoints> = {}): void {
    const value: Endpoints = {
      name: `${name}.shop.svc.cluster.local:80`,
      service: { namespace: "shop", name },
      protocol: "detect",
      endpoints,
      ...more,
    };
    this.resources.set({ kind: "endpoints", value });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing.reverse()) close();
    await this.authority[Symbol.asyncDispose]();
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** Sends a request through a sidecar's forward proxy, as an application with `http_proxy` does. */
export async function askThrough(
  podIp: string,
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  const { host } = new URL(url);
  const request = http.request({
    host: podIp,
    port: 15_001,
    path: url,
    method: options.method ?? "GET",
    headers: { host, ...options.headers },
    agent: false,
  });
  request.end(options.body);
  const response = await answerTo(request);
  let body = "";
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

export function meshed(podIp: string, workload: string, port = 8080): Endpoints["endpoints"][number] {
  return { address: `${podIp}:${port}`, pod: `${workload}-${podIp}`, identity: workloadId(workload), state: "ready" };
}

export function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
