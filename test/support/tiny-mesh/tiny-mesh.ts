/** A folder of Deployments whose programs are single lines of code, and a mesh of tiny processes that runs them. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Mesh, startMesh } from "../../../cli/dev/mesh.ts";
import type { MeshEvent } from "../../../cli/dev/mesh-event.ts";

export const tinyBundles = {
  controlPlane: join(import.meta.dirname, "control-plane.ts"),
  sidecar: join(import.meta.dirname, "sidecar.ts"),
};

/** An application that serves on its own address, as a shell command. */
export const serving = `exec node -e 'require("node:net").createServer(s => s.end()).listen(process.env.PORT, process.env.HOST)'`;

/** A temporary folder with one Deployment, removed with `using`. */
export class TinyFolder {
  readonly path = mkdtempSync(join(tmpdir(), "tulle-test-"));
  /** Where the mesh keeps its state, to check that nothing is left there. */
  readonly runtime = join(this.path, ".runtime");

  constructor() {
    mkdirSync(this.runtime);
  }

  deploy(name: string, command: string, replicas = 1, port = 18_080): this {
    const containers = [{ name, image: "none", ports: [{ containerPort: port }] }];
    const labels = { app: name };
    const template = { metadata: { labels, annotations: { "tulle.dev/dev-command": command } }, spec: { containers } };
    const spec = { replicas, selector: { matchLabels: labels }, template };
    const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name }, spec };
    return this.write(`${name}.yaml`, stringify(deployment));
  }

  write(file: string, content: string): this {
    writeFileSync(join(this.path, file), content);
    return this;
  }

  remove(file: string): void {
    rmSync(join(this.path, file));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The reports of a mesh, and a way to wait for more. */
export class Reports {
  readonly events: MeshEvent[] = [];
  #waiting: { readonly wanted: (event: MeshEvent) => boolean; readonly resolve: (event: MeshEvent) => void }[] = [];

  readonly report = (event: MeshEvent): void => {
    this.events.push(event);
    for (const { wanted, resolve } of this.#waiting) if (wanted(event)) resolve(event);
  };

  /** The first matching event of this kind, including past ones; the test's own time limit ends the wait. */
  next<K extends MeshEvent["kind"]>(
    kind: K,
    fits: (event: Extract<MeshEvent, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<MeshEvent, { kind: K }>> {
    const wanted = (event: MeshEvent): event is Extract<MeshEvent, { kind: K }> =>
      event.kind === kind && fits(event as Extract<MeshEvent, { kind: K }>);
    const past = this.events.find(wanted);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve) => {
      this.#waiting.push({ wanted, resolve: (event) => wanted(event) && resolve(event) });
    });
  }
}

export async function startTinyMesh(folder: TinyFolder, reports: Reports): Promise<Mesh & AsyncDisposable> {
  const mesh = await startMesh({
    folder: folder.path,
    env: { ...process.env, XDG_RUNTIME_DIR: folder.runtime },
    report: reports.report,
    signal: new AbortController().signal,
    bundles: tinyBundles,
  });
  return Object.assign(mesh, { [Symbol.asyncDispose]: () => mesh.stop() });
}
