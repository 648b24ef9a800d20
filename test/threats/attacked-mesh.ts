/**
 * A mesh under attack: `web`'s sidecar, that of `a`, and behind it an application which keeps every byte that it gets.
 * With the ways in on which an attacker may come, and a witness whose requests must be served all the time.
 */

import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import type { Protocol } from "../../model/resources.ts";
import { meshClientContext, meshClientOptions } from "../../sidecar/identity/tls-options.ts";
import { plainPort } from "../../sidecar/ports.ts";
import { frame, type Pairs, preface, RawPeer, SETTINGS } from "../sidecar/http2/raw-peer.ts";
import { workloadId } from "../support/authority.ts";
import {
  meshed,
  nextPodIp,
  redirectedTo,
  type SidecarChoices,
  TestMesh,
  type TestSidecar,
} from "../support/sidecar-pair.ts";
import { RawClient } from "../support/sockets.ts";

const witnessRequest = "GET /witness HTTP/1.1\r\nHost: a\r\n\r\n";
const outboundPort = 15_001;
const meshPort = 15_008;
const upstreamPort = 9001;
const applicationPort = 8080;

/** A raw application: it answers each head that has come with `ok`, and nothing else. */
class Application {
  readonly #server: net.Server;
  readonly sockets = new Set<net.Socket>();
  received = "";
  /** What it says before anything has come. */
  greeting = "";
  /** Takes its connections, instead of it. */
  serve: ((socket: net.Socket) => void) | undefined;
  /** What it does with a connection's bytes, instead of that. */
  onData: ((socket: net.Socket, text: string) => void) | undefined;

  constructor() {
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.add(socket);
      if (this.greeting !== "") socket.write(this.greeting);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => {}); // the mesh cuts what it can't trust
      if (this.serve !== undefined) return this.serve(socket);
      socket.on("end", () => socket.end());
      socket.on("data", (chunk) => {
        const text = chunk.toString("latin1");
        this.received += text;
        if (this.onData !== undefined) return this.onData(socket, text);
        for (const _ of text.matchAll(/\r\n\r\n/g)) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    });
  }

  async listen(podIp: string): Promise<void> {
    this.#server.listen(applicationPort, podIp);
    await once(this.#server, "listening");
  }

  close(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

export class AttackedMesh implements AsyncDisposable {
  readonly mesh: TestMesh;
  readonly web: TestSidecar;
  readonly target: TestSidecar;
  readonly application = new Application();
  readonly upstreamHost: string;
  readonly #clients: { destroy(): void }[] = [];
  #witness: RawClient | undefined;

  private constructor(mesh: TestMesh, web: TestSidecar, target: TestSidecar, upstreamHost: string) {
    this.mesh = mesh;
    this.web = web;
    this.target = target;
    this.upstreamHost = upstreamHost;
  }

  static async open(protocol: Protocol = "http1", choices: SidecarChoices = {}): Promise<AttackedMesh> {
    const mesh = await TestMesh.open();
    const upstreamHost = nextPodIp();
    const upstreams = [{ host: "a", port: 80, listenHost: upstreamHost, listenPort: upstreamPort }];
    const web = await mesh.sidecar("web", { ...choices, upstreams });
    const podIp = nextPodIp();
    const originalDestination = redirectedTo(podIp, applicationPort);
    const target = await mesh.sidecar("a", { ...choices, podIp, originalDestination, protocol });
    mesh.service("a", [meshed(target.podIp, "a")], {}, protocol);
    const attacked = new AttackedMesh(mesh, web, target, upstreamHost);
    await attacked.application.listen(target.podIp);
    return attacked;
  }

  /** To the forward proxy, as a program with `http_proxy=` comes. */
  forwardProxy(): RawClient {
    return this.#keep(new RawClient(outboundPort, this.web.podIp));
  }

  /** To a listener that leads to `a` and nowhere else. */
  upstream(): RawClient {
    return this.#keep(new RawClient(upstreamPort, this.upstreamHost));
  }

  /** To the application's sidecar, as a client without one is redirected there. */
  plain(): RawClient {
    return this.#keep(new RawClient(plainPort, this.target.podIp));
  }

  /** Behind CONNECT, as `fetch` uses a proxy. */
  async tunnel(): Promise<RawClient> {
    const client = this.forwardProxy().send("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
    await client.receive("HTTP/1.1 200");
    client.received = "";
    return client;
  }

  /** To the mesh port, with a certificate of the mesh or another one. */
  async link(options: tls.ConnectionOptions = this.linkOptions()): Promise<tls.TLSSocket> {
    const socket = tls.connect({ host: this.target.podIp, port: meshPort, ...options });
    this.#clients.push(socket);
    await once(socket, "secureConnect");
    return socket;
  }

  linkOptions(workload = "web"): tls.ConnectionOptions {
    const credentials = this.mesh.authority.credentials(workloadId(workload));
    return meshClientOptions(meshClientContext(credentials), workloadId("a"));
  }

  /** An HTTP/2 peer on a connection; what a client says first is said. */
  peer(socket: net.Socket, settings: Buffer = Buffer.alloc(0)): RawPeer {
    const peer = new RawPeer(socket);
    peer.send(preface, frame(SETTINGS, 0, 0, settings));
    return peer;
  }

  /** The witness asks, and gets its own answer. What else the application has got meanwhile is the attacker's: returned. */
  async witness(): Promise<string> {
    this.#witness ??= this.upstream();
    this.#witness.received = "";
    this.#witness.send(witnessRequest);
    const answer = await this.#witness.receive((text) => text.endsWith("\r\n\r\nok") || text.includes("tulle-error"));
    const answers = answer.match(/HTTP\/1\.1 [0-9]*/g) ?? [];
    if (answers.join() !== "HTTP/1.1 200") throw new Error(`the witness got ${answer}`);
    const others = this.application.received.replace(/GET \/witness HTTP\/1\.1\r\n.*?\r\n\r\n/gs, "");
    this.application.received = "";
    return others;
  }

  /** How often `web`'s sidecar has made a link to `a` so far. */
  get linksMade(): number {
    const { tlsHandshakes } = this.web.metrics;
    return tlsHandshakes.value(tlsHandshakes.slot({ direction: "outbound", outcome: "ok" }));
  }

  /** How often the sidecar at which that way begins has refused something for this reason. */
  refusedBy(way: string, code: string): number {
    const [listener, { metrics }] = way === "plaintext" ? ["inbound", this.target] : ["outbound", this.web];
    return metrics.refused.value(metrics.refused.slot({ listener, code }));
  }

  #keep(client: RawClient): RawClient {
    this.#clients.push(client.socket);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    this.application.close();
    await this.mesh[Symbol.asyncDispose]();
  }
}

/** The same request, now for the application that is attacked. */
export function forA(fields: Pairs): Pairs {
  return fields.map(([name, value]) => [name, name === ":authority" && value === "a.test" ? "a" : value]);
}

/** The ways in for HTTP/1.1 by the sidecar of a client. */
export const outboundWays = {
  "the forward proxy": (mesh: AttackedMesh) => Promise.resolve(mesh.forwardProxy()),
  "an explicit upstream": (mesh: AttackedMesh) => Promise.resolve(mesh.upstream()),
  "a tunnel through the forward proxy": (mesh: AttackedMesh) => mesh.tunnel(),
};

/** The ways in for HTTP/1.1. */
export const http1Ways = {
  ...outboundWays,
  plaintext: (mesh: AttackedMesh) => Promise.resolve(mesh.plain()),
};

/** The ways in for HTTP/2. */
export const http2Ways = {
  "an explicit upstream": (mesh: AttackedMesh, settings?: Buffer) =>
    Promise.resolve(mesh.peer(mesh.upstream().socket, settings)),
  "a tunnel through the forward proxy": async (mesh: AttackedMesh, settings?: Buffer) =>
    mesh.peer((await mesh.tunnel()).socket, settings),
  plaintext: (mesh: AttackedMesh, settings?: Buffer) => Promise.resolve(mesh.peer(mesh.plain().socket, settings)),
  "the mesh port": async (mesh: AttackedMesh, settings?: Buffer) => mesh.peer(await mesh.link(), settings),
};
