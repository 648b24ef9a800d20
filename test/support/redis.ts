/** A real Redis on its own loopback address, which keeps its contents when it is killed. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { altNames, makeCertificate, makeRoot, tlv } from "./certificates.ts";
import { nextPodIp } from "./sidecar-pair.ts";

export const redisPassword = "s3cret-of-the-test";

export class RedisServer implements AsyncDisposable {
  readonly host = nextPodIp();
  readonly folder: string;
  /** A file with its URL; with TLS, next to its `ca.crt`, as in a mounted Secret. */
  readonly urlFile: string;
  readonly #protocol: "redis" | "rediss";
  #process: ChildProcess | undefined;

  private constructor(folder: string, protocol: "redis" | "rediss") {
    this.folder = folder;
    this.#protocol = protocol;
    this.urlFile = join(folder, "url");
  }

  static async start(protocol: "redis" | "rediss" = "redis"): Promise<RedisServer> {
    const server = new RedisServer(await mkdtemp(join(tmpdir(), "tulle-redis-")), protocol);
    await server.writeUrl(redisPassword);
    if (protocol === "rediss") await server.#writeCertificate();
    await server.start();
    return server;
  }

  async writeUrl(password: string): Promise<void> {
    await writeFile(this.urlFile, `${this.#protocol}://:${password}@${this.host}:6379/0\n`, { mode: 0o600 });
  }

  async #writeCertificate(): Promise<void> {
    const issuer = makeRoot();
    const address = tlv(0x87, Buffer.from(this.host.split(".").map(Number)));
    const { pem, keyPem } = makeCertificate({ issuer, extensions: [altNames(address)] });
    const files = { "ca.crt": issuer.pem, "tls.crt": pem, "tls.key": keyPem };
    for (const [name, text] of Object.entries(files)) await writeFile(join(this.folder, name), text);
  }

  get #ports(): Readonly<Record<string, string | number>> {
    if (this.#protocol === "redis") return { port: 6379 };
    const [certificate, key] = ["tls.crt", "tls.key"].map((name) => join(this.folder, name));
    const files = { "tls-cert-file": certificate ?? "", "tls-key-file": key ?? "" };
    return {
      port: 0,
      "tls-port": 6379,
      ...files,
      "tls-ca-cert-file": join(this.folder, "ca.crt"),
      "tls-auth-clients": "no",
    };
  }

  /** Resolves when it accepts connections. */
  async start(): Promise<void> {
    const settings = { bind: this.host, ...this.#ports, dir: this.folder, save: "", requirepass: redisPassword };
    const durable = { appendonly: "yes", appendfsync: "always", daemonize: "no" };
    const args = Object.entries({ ...settings, ...durable }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#process = child;
    const missing = once(child, "error").then(([error]) => {
      throw new Error("this test needs redis-server: apt-get install redis-server", { cause: error });
    });
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`redis-server ended with ${code}`);
    });
    missing.catch(() => {}); // it may end long after it was ready
    ended.catch(() => {});
    await Promise.race([becomesReady(child), missing, ended]);
  }

  /** Behaves as if its machine lost power. */
  async kill(): Promise<void> {
    await this.#signal("SIGKILL");
  }

  /** Makes it keep its connections, but answer nothing. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function becomesReady(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error("redis-server has no output");
  for await (const line of createInterface(child.stdout)) {
    if (!line.includes("Ready to accept connections")) continue;
    child.stdout.resume();
    return;
  }
}
