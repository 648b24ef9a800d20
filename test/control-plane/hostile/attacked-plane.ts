/**
 * A control plane as a process, and who attacks it: with any bytes, from an address of their own, with a certificate or none.
 * Beside them a witness, a sidecar that came before, which must be served all the time, on the stream that it has.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash, generateKeyPairSync, randomUUID, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import http2, { type ClientHttp2Session, type OutgoingHttpHeaders } from "node:http2";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { controlPlaneIdentity } from "../../../control-plane/identity/own-certificate.ts";
import { ControlStream } from "../../../sidecar/discovery/control-stream.ts";
import { buildCertificateRequest } from "../../../sidecar/identity/certificate-request.ts";
import { readCredentials } from "../../../sidecar/identity/credentials.ts";
import { issueCertificate } from "../../../sidecar/identity/issue.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { frame, preface, RawPeer, SETTINGS } from "../../sidecar/http2/raw-peer.ts";
import { HandIdentity, trustDomain, workloadId } from "../../support/authority.ts";
import { eventually } from "../../support/eventually.ts";
import { collectLog, type LogLine } from "../../support/process-log.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

const main = join(import.meta.dirname, "../../../control-plane/main.ts");
/** Everybody else dials from 127.0.0.1. */
const attacker = "127.0.0.66";
const controlPlane = controlPlaneIdentity(trustDomain);

export type Port = "discovery" | "identity";
export const paths = { discovery: "/tulle.v1.Discovery/Stream", identity: "/tulle.v1.Identity/Issue" } as const;

export class AttackedPlane implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #lines: readonly LogLine[];
  readonly #sockets = new Set<net.Socket>();
  readonly #stop = new AbortController();
  #stream: ControlStream | undefined;
  #certificate: { readonly cert: string; readonly key: string } | undefined;
  #trustBundlePem = "";
  #asked = 0;

  private constructor(folder: string, args: readonly string[]) {
    this.#folder = folder;
    const ports = ["discovery", "identity", "admin", "dashboard"].flatMap((name) => [`--${name}-port`, "0"]);
    const folders = ["--folder", join(folder, "yaml"), "--state", join(folder, "state")];
    this.#child = spawn(process.execPath, [main, ...folders, ...ports, ...args], {
      stdio: ["ignore", "inherit", "pipe"],
    });
    if (this.#child.stderr === null) throw new Error("no log");
    this.#lines = collectLog(this.#child.stderr);
  }

  /** With its witness. */
  static async open(...args: string[]): Promise<AttackedPlane> {
    const folder = await mkdtemp(join(tmpdir(), "tulle-attacked-"));
    await mkdir(join(folder, "yaml"));
    const plane = new AttackedPlane(folder, args);
    await eventually(() => plane.said("control plane ready").length === 1, 30_000);
    plane.#trustBundlePem = await readFile(join(folder, "state", "trust-bundle.pem"), "utf8");
    plane.#certificate = await plane.issue("attacker");
    const { cert, key } = await plane.issue("witness");
    const trustBundlePem = plane.#trustBundlePem;
    const read = readCredentials({ certificateChainPem: cert, privateKeyPem: key, trustBundlePem });
    if (!read.ok) throw new Error(read.error);
    plane.#stream = new ControlStream({
      endpoints: [`127.0.0.1:${plane.port("discovery")}`],
      identity: new HandIdentity(workloadId("witness"), read.value.credentials),
      controlPlaneIdentity: controlPlane,
      node: { namespace: "shop", workload: "witness", pod: "witness-1", proxyVersion: "0.1.0" },
      clock: performance,
      wheel: new TimerWheel(performance),
      random: Math.random,
      log: new RecordedLog().write,
    });
    await plane.#stream.start(plane.#stop.signal);
    await plane.witness();
    return plane;
  }

  /** The lines of its log with this message. */
  said(message: string): Readonly<Record<string, unknown>>[] {
    return this.#lines.filter((line) => line["message"] === message);
  }

  port(name: Port | "admin"): number {
    return Number(this.said("control plane ready")[0]?.[name]);
  }

  /** A certificate, as any workload gets it. */
  async issue(workload: string): Promise<{ readonly cert: string; readonly key: string }> {
    const token = randomUUID();
    const kept = { namespace: "shop", serviceAccount: workload, pod: `${workload}-1`, audience: "tulle" };
    const tokens = join(this.#folder, "state", "tokens");
    await mkdir(tokens, { recursive: true });
    await writeFile(join(tokens, `${createHash("sha256").update(token).digest("hex")}.json`), JSON.stringify(kept));
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { certificateChainDer } = await issueCertificate({
      address: `127.0.0.1:${this.port("identity")}`,
      controlPlaneIdentity: controlPlane,
      trustBundlePem: this.#trustBundlePem,
      requestDer: buildCertificateRequest(privateKey),
      token,
      clock: performance,
      wheel: new TimerWheel(performance),
      signal: AbortSignal.timeout(10_000),
    });
    const cert = certificateChainDer.map((der) => new X509Certificate(der).toString()).join("");
    return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  }

  /** A workload that has just started gets a certificate, and the one that was there before an answer on its one stream. */
  async witness(): Promise<void> {
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    this.#stream?.subscribe("endpoints", `n${this.#asked++}`, () => {
      resolve();
      return undefined;
    });
    await Promise.all([this.issue("witness"), answered]);
    const mine = this.said("sidecar connected").filter(({ pod }) => pod === "witness-1");
    if (mine.length !== 1) throw new Error(`the witness came ${mine.length} times`);
  }

  /** An accepted connection that says nothing. */
  async dial(port: Port): Promise<net.Socket> {
    const socket = this.#keep(net.connect({ host: "127.0.0.1", port: this.port(port), localAddress: attacker }));
    await once(socket, "connect");
    return socket;
  }

  /** With the attacker's certificate where one is asked for. Rejects where the connection ends before its handshake. */
  async dialTls(port: Port, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
    const socket = tls.connect({
      socket: await this.dial(port),
      ca: this.#trustBundlePem,
      ...this.#certificate,
      ALPNProtocols: ["h2"],
      checkServerIdentity: () => undefined,
      ...options,
    });
    this.#keep(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("secureConnect", resolve);
    socket.once("close", () => reject(new Error("closed in its handshake")));
    await promise;
    return socket;
  }

  /** Any frames. What a client says first is said. */
  async peer(port: Port, settings: Buffer = Buffer.alloc(0)): Promise<RawPeer> {
    const peer = new RawPeer(await this.dialTls(port));
    peer.send(preface, frame(SETTINGS, 0, 0, settings));
    return peer;
  }

  async session(port: Port): Promise<ClientHttp2Session> {
    const socket = await this.dialTls(port);
    const session = http2.connect("https://tulle", { createConnection: () => socket });
    session.on("error", () => {}); // it is the control plane that ends it
    return session;
  }

  /** How often a connection or a call was refused so far, by reason. */
  async refused(port: Port, reason: string): Promise<number> {
    return this.#metric(`tulle_grpc_refused_total{port="${port}",reason="${reason}"}`);
  }

  connections(port: Port): Promise<number> {
    return this.#metric(`tulle_grpc_connections{port="${port}"}`);
  }

  async residentMiB(): Promise<number> {
    return (await this.#metric("process_resident_memory_bytes")) / 1_048_576;
  }

  async #metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.port("admin")}/metrics`)).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
    return Number(line?.slice(name.length) ?? 0);
  }

  /** Ends all that attacked so far. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep<S extends net.Socket>(socket: S): S {
    this.#sockets.add(socket);
    socket.on("error", () => {}); // the control plane cuts it
    socket.on("close", () => this.#sockets.delete(socket));
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.hangUp();
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export interface Answer {
  readonly httpStatus: number;
  readonly code: number;
  readonly says: string;
  readonly accepts: string | undefined;
}

/** A call with any head and any bytes, and how it ended. */
export function call(
  session: ClientHttp2Session,
  path: string,
  { headers = {}, bytes, ends = false }: { headers?: OutgoingHttpHeaders; bytes?: Buffer; ends?: boolean } = {},
): Promise<Answer> {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {}); // reset once its answer is there
  if (bytes !== undefined) stream.write(bytes);
  if (ends) stream.end();
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let httpStatus = 0;
  const take = (fields: http2.IncomingHttpHeaders): void => {
    httpStatus = Number(fields[":status"] ?? httpStatus);
    if (fields["grpc-status"] === undefined) return;
    const says = decodeURIComponent(String(fields["grpc-message"] ?? ""));
    const accepts = fields["grpc-accept-encoding"]?.toString();
    resolve({ httpStatus, code: Number(fields["grpc-status"]), says, accepts });
  };
  stream.on("response", take);
  stream.on("trailers", take);
  stream.on("close", () => reject(new Error("closed without a status")));
  stream.resume();
  return promise;
}
