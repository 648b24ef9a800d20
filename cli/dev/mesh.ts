/**
 * The standalone mesh: control plane, sidecars and applications as plain processes of one machine, from a folder of
 * Kubernetes YAML. It owns everything that it starts and leaves nothing behind: no process, port, or file.
 */

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Bundles, ensureBundles } from "../../deploy/build.ts";
import { UsageError } from "../usage-error.ts";
import { type AddressBlock, podAddresses, requireFree, reserveBlock, sidecarPorts } from "./addresses.ts";
import { ControlPlane } from "./control-plane.ts";
import type { DevDeployment } from "./deployments.ts";
import { DeploymentFolder, type FolderContent } from "./folder.ts";
import { type Report, reportProblemsOnce } from "./mesh-event.ts";
import { MeshProcesses } from "./mesh-processes.ts";
import type { Pod } from "./pod.ts";
import { Replicas } from "./replicas.ts";
import { StateFolder } from "./state-folder.ts";
import { sweep } from "./sweep.ts";

export interface MeshOptions {
  /** Kubernetes YAML, a folder or one file, watched while the mesh runs; messages use the name given here. */
  readonly folder: string;
  /** Where applications are started. Default: `folder`, or the folder that contains that file. */
  readonly workFolder?: string;
  readonly env: NodeJS.ProcessEnv;
  readonly report: Report;
  /** Aborts the start. */
  readonly signal: AbortSignal;
  /** Default: built from this checkout. */
  readonly bundles?: Bundles;
}

/** During a stop nobody is waiting for an answer any more. */
const stopGraceMs = 3_000;
/** How often the control plane is asked whether the sidecars know of a pod that has become ready. */
const pushPollMs = 20;

/**
 * Starts a mesh; resolves when the control plane is ready and every pod is being started. Throws a `UsageError` if the user
 * must fix something, or the signal's reason if it aborts the start; nothing is left behind.
 */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { folder, signal } = options;
  const report = reportProblemsOnce(options.report);
  await using undo = new AsyncDisposableStack();
  const watch = new AbortController();
  undo.defer(() => watch.abort());
  const source = await DeploymentFolder.open(folder, watch.signal);
  const { deployments, errors } = source.content;
  if (deployments.size === 0) throw new UsageError([...errors][0] ?? `${folder}: holds no Deployment to run`);

  const block = await reserveBlock(resolve(folder));
  undo.defer(() => block.release());
  await requirePodPorts(block, deployments);
  const state = new StateFolder(options.env);
  undo.defer(() => state.remove());
  const mark = randomUUID();
  undo.defer(await startReaper(mark, state));
  undo.defer(() => sweep(mark, stopGraceMs));
  signal.throwIfAborted();
  report({ kind: "progress", text: "building the sidecar and the control plane" });
  const bundles = options.bundles ?? (await ensureBundles());
  signal.throwIfAborted();

  const workFolder = resolve(options.workFolder ?? (statSync(folder).isDirectory() ? folder : dirname(folder)));
  const processes = new MeshProcesses({ folder, workFolder, env: options.env, block, state, bundles, mark });
  report({ kind: "progress", text: `starting the control plane at ${block.controlPlane}` });
  const controlPlane = new ControlPlane(block.controlPlane, processes.controlPlane(), report);
  undo.defer(() => controlPlane.stop());
  await controlPlane.start(signal);
  const mesh = new Mesh({ block, controlPlane, mark, processes, report, undo: undo.move() });
  source.onChange = (content) => mesh.apply(content);
  mesh.apply(source.content);
  return mesh;
}

/**
 * The block is ours, so only a program that listens on all addresses can be in the way, and checking one pod's address reveals
 * it.
 */
async function requirePodPorts(block: AddressBlock, deployments: ReadonlyMap<string, DevDeployment>): Promise<void> {
  const templates = [...deployments.values()].map(({ template }) => template);
  const ports = templates.flatMap((template) => template.ports.map(({ containerPort }) => containerPort));
  await requireFree(block.firstPod, [...new Set([...ports, ...Object.values(sidecarPorts)])]);
}

/**
 * Starts a process that ends the mesh's leftovers if this one can't any more. Returns a function that makes it exit in good
 * order.
 */
async function startReaper(mark: string, state: StateFolder): Promise<() => Promise<void>> {
  const script = join(import.meta.dirname, "reaper.ts");
  const reaper = spawn(process.execPath, [script, mark, state.path], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const exited = new Promise((done) => reaper.once("exit", done));
  // Somebody may have killed it before it is asked to exit.
  reaper.stdin.on("error", () => {});
  await once(reaper, "spawn");
  return async () => {
    reaper.stdin.end();
    await exited;
  };
}

interface MeshParts {
  readonly block: AddressBlock;
  readonly controlPlane: ControlPlane;
  readonly mark: string;
  readonly processes: MeshProcesses;
  readonly report: Report;
  readonly undo: AsyncDisposableStack;
}

export class Mesh {
  readonly controlPlane: ControlPlane;
  readonly #parts: MeshParts;
  readonly #replicas = new Map<string, Replicas>();
  #errors: ReadonlySet<string> = new Set();
  #stopped: Promise<void> | undefined;
  #onSettled: (() => void)[] = [];

  constructor(parts: MeshParts) {
    this.#parts = parts;
    this.controlPlane = parts.controlPlane;
  }

  /** All pods that should serve. */
  get pods(): readonly Pod[] {
    return [...this.#replicas.values()].flatMap(({ pods }) => pods);
  }

  /** Makes the processes match the folder. */
  apply(content: FolderContent): void {
    if (this.#stopped !== undefined) return;
    this.#reportErrors(content.errors);
    for (const [key, replicas] of this.#replicas) if (!content.deployments.has(key)) replicas.apply(undefined);
    for (const [key, deployment] of content.deployments) this.#replicasOf(key).apply(deployment);
    this.#noticeSettled();
  }

  /** Resolves once every Deployment has all of its replicas ready, and every sidecar knows of them. */
  async settled(signal: AbortSignal): Promise<void> {
    await this.#allReady(signal);
    while (!(await this.controlPlane.hasTold(this.pods.map(({ identity }) => identity)))) {
      await sleep(pushPollMs, undefined, { signal });
      await this.#allReady(signal);
    }
  }

  async #allReady(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isSettled()) return;
    await new Promise<void>((done, reject) => {
      const onAbort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#onSettled.push(() => {
        signal.removeEventListener("abort", onAbort);
        done();
      });
    });
  }

  /** Stops everything: applications, their sidecars, the control plane. Leaves no process, port or file. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Kills everything at once, for a user who can't wait for `stop`. */
  async kill(): Promise<void> {
    await sweep(this.#parts.mark, 0);
  }

  async #stop(): Promise<void> {
    await Promise.all([...this.#replicas.values()].map((replicas) => replicas.stop(stopGraceMs)));
    await this.#parts.undo.disposeAsync();
  }

  #replicasOf(key: string): Replicas {
    const known = this.#replicas.get(key);
    if (known !== undefined) return known;
    const replicas: Replicas = new Replicas((deployment, ordinal) => this.#makePod(deployment, ordinal, replicas));
    this.#replicas.set(key, replicas);
    return replicas;
  }

  #makePod(deployment: DevDeployment, ordinal: number, replicas: Replicas): Pod | undefined {
    const { block, processes, report } = this.#parts;
    if (block.full) {
      const text = `${deployment.name}-${ordinal} can't start: a mesh on one machine has ${podAddresses} pod addresses`;
      report({ kind: "problem", text });
      return undefined;
    }
    return processes.pod(deployment, ordinal, block.take(), report, () => {
      replicas.reconcile();
      this.#noticeSettled();
    });
  }

  #reportErrors(errors: ReadonlySet<string>): void {
    for (const text of errors) if (!this.#errors.has(text)) this.#parts.report({ kind: "problem", text });
    for (const text of this.#errors) if (!errors.has(text)) this.#parts.report({ kind: "solved", text });
    this.#errors = errors;
  }

  #isSettled(): boolean {
    return [...this.#replicas.values()].every(({ settled }) => settled);
  }

  #noticeSettled(): void {
    if (!this.#isSettled()) return;
    const listeners = this.#onSettled;
    this.#onSettled = [];
    for (const listener of listeners) listener();
  }
}
