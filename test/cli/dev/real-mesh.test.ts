import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import type { MeshEvent } from "../../../cli/dev/mesh-event.ts";
import { TinyFolder } from "../../support/tiny-mesh/tiny-mesh.ts";

/** `tulle dev` as a user runs it, with the real control plane and real sidecars. */
class Dev implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  readonly #lines: AsyncIterator<string>;

  constructor(folder: TinyFolder) {
    const main = join(import.meta.dirname, "../../../cli/main.ts");
    const env = { ...process.env, XDG_RUNTIME_DIR: folder.runtime };
    const args = [main, "dev", "-f", folder.path, "-o", "json"];
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    this.child = child;
    this.exited = once(child, "exit");
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  async next<K extends MeshEvent["kind"]>(
    kind: K,
    fits: (event: Extract<MeshEvent, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<MeshEvent, { kind: K }>> {
    const isWanted = (event: MeshEvent): event is Extract<MeshEvent, { kind: K }> =>
      event.kind === kind && fits(event as Extract<MeshEvent, { kind: K }>);
    for (let line = await this.#lines.next(); !line.done; line = await this.#lines.next()) {
      const event = JSON.parse(line.value) as MeshEvent;
      if (isWanted(event)) return event;
    }
    throw new Error(`it ended before it said ${kind}`);
  }
}

const answering = `exec node -e 'require("node:http").createServer((q, s) => s.end(String(q.headers["tulle-client-id"]))).listen(process.env.PORT, process.env.HOST)'`;
const service = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 18080, appProtocol: http }] }
`;

function faultOf(status: number): string {
  const spec = `{until: "2099-01-01T00:00:00Z", abort: {status: ${status}, percent: 100}}`;
  return `{apiVersion: tulle.dev/v1alpha1, kind: FaultInjection, metadata: {name: teapots}, spec: ${spec}}`;
}

function askThrough(podIP: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = { host: podIP, port: 15_001, path: "http://web/", headers: { host: "web" }, agent: false } as const;
    get(request, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve(`${response.statusCode} ${body}`));
    }).on("error", reject);
  });
}

describe("tulle dev", { timeout: 60_000 }, () => {
  it("carries requests over mutual TLS, and leaves nothing behind on Ctrl-C", async () => {
    using folder = new TinyFolder().deploy("web", answering).write("service.yaml", service);
    await using dev = new Dev(folder);
    const { podIP } = await dev.next("ready");
    // The list of addresses comes when every sidecar knows all pods.
    await dev.next("progress", ({ text }) => text.includes(podIP));
    expect(await askThrough(podIP)).toBe("200 spiffe://cluster.local/ns/default/sa/default");
    dev.child.kill("SIGINT");
    expect(await dev.exited).toEqual([0, null]);
    expect(readdirSync(folder.runtime)).toEqual([]);
    await expect(askThrough(podIP)).rejects.toThrow("ECONNREFUSED");
  });

  it("lets requests feel a change of a file within 50 ms, but for what else the machine has to do", async () => {
    using folder = new TinyFolder().deploy("web", answering).write("service.yaml", service);
    await using dev = new Dev(folder);
    const { podIP } = await dev.next("ready");
    await dev.next("progress", ({ text }) => text.includes(podIP));
    const tookMs: number[] = [];
    for (let round = 0; round < 8; round++) {
      const status = 410 + round;
      const startMs = performance.now();
      folder.write("fault.yaml", faultOf(status));
      while (!(await askThrough(podIP)).startsWith(`${status}`))
        expect(performance.now() - startMs).toBeLessThan(5_000);
      tookMs.push(performance.now() - startMs);
      // It stays so; and the next change is no part of a storm of them.
      for (let nth = 0; nth < 50; nth++) expect(await askThrough(podIP)).toMatch(`${status}`);
    }
    // Nothing on the way waits for longer. That all come in time (20 ms in the middle) takes a machine without neighbours.
    expect(Math.min(...tookMs)).toBeLessThan(50);
  });

  it("leaves nothing behind when it is stopped while it starts", async () => {
    using folder = new TinyFolder().deploy("web", answering);
    await using dev = new Dev(folder);
    await dev.next("progress");
    dev.child.kill("SIGTERM");
    expect(await dev.exited).toEqual([0, null]);
    expect(readdirSync(folder.runtime)).toEqual([]);
  });
});
