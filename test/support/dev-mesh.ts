/** `tulle dev` as a user runs it, with the real control plane and real sidecars. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { MeshEvent } from "../../cli/dev/mesh-event.ts";
import type { TinyFolder } from "./tiny-mesh/tiny-mesh.ts";

export const cliMain = join(import.meta.dirname, "../../cli/main.ts");

export class DevMesh implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  readonly #lines: AsyncIterator<string>;

  constructor(folder: TinyFolder) {
    const env = { ...process.env, XDG_RUNTIME_DIR: folder.runtime };
    const args = [cliMain, "dev", "-f", folder.path, "-o", "json"];
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

/** An application that reports the identity of its caller. */
export const answering = `exec node -e 'require("node:http").createServer((q, s) => s.end(String(q.headers["tulle-client-id"]))).listen(process.env.PORT, process.env.HOST)'`;
export const webService = `
apiVersion: v1
kind: Service
metadata: { name: web, annotations: { tulle.dev/runbook: "https://example.test/runbook" } }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 18080, appProtocol: http }] }
`;

/** The answer that the pod's application gets from `http://web`: the status and the body. */
export function askThrough(podIP: string, path = "/"): Promise<string> {
  return new Promise((resolve, reject) => {
    const url = `http://web${path}`;
    const request = { host: podIP, port: 15_001, path: url, headers: { host: "web" }, agent: false } as const;
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
