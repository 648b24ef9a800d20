/**
 * One replica: a sidecar, the application behind it, and the Pod object that tells the control plane about both.
 *
 * ```
 *   starting ──both ready──▶ ready ◀──probes──▶ unready
 *       └──────────────────────┴── terminate ──────┴──▶ terminating ──▶ gone
 * ```
 *
 * It acts as the kubelet for its pod: the sidecar starts first, then the application; the application stops first, then
 * the sidecar.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { sidecarPorts } from "./addresses.ts";
import type { DevDeployment } from "./deployments.ts";
import type { Report } from "./mesh-event.ts";
import { type PodIdentity, podObject } from "./pod-object.ts";
import { listenersOf, processesOfGroup } from "./process-table.ts";
import { passes } from "./readiness.ts";
import type { PodFiles, StateFolder } from "./state-folder.ts";
import { type Exit, type ProcessOptions, SupervisedProcess } from "./supervised-process.ts";

export interface PodOptions {
  readonly identity: PodIdentity;
  readonly deployment: DevDeployment;
  readonly state: StateFolder;
  readonly version: string;
  readonly report: Report;
  readonly onReadiness: () => void;
  readonly onGone: () => void;
  readonly sidecar: (identity: PodIdentity, files: PodFiles) => ProcessOptions;
  readonly application: (identity: PodIdentity) => ProcessOptions;
}

export type PodPhase = "starting" | "ready" | "unready" | "terminating";

const startingProbeMs = 150;
const probeTimeoutMs = 1_000;
/** If an application takes longer than this to listen, the supervisor checks where it listens instead. */
const listenPatienceMs = 3_000;
/** The time between telling callers that the pod leaves and stopping it, like a preStop sleep. */
const leaveNoticeMs = 500;
const sidecarGraceMs = 5_000;

export class Pod {
  readonly identity: PodIdentity;
  readonly deployment: DevDeployment;
  readonly sidecar: SupervisedProcess;
  readonly application: SupervisedProcess;
  readonly #options: PodOptions;
  readonly #files: PodFiles;
  #phase: PodPhase = "starting";
  #timer: NodeJS.Timeout | undefined;
  #applicationSinceMs: number | undefined;
  #failures = 0;
  #placement: string | undefined;
  #lost = false;

  constructor(options: PodOptions) {
    this.#options = options;
    this.identity = options.identity;
    this.deployment = options.deployment;
    this.#files = options.state.admitPod(options.identity);
    const { pod } = options.identity;
    const sidecarName = `${pod} sidecar`;
    this.sidecar = new SupervisedProcess({
      ...options.sidecar(options.identity, this.#files),
      onExit: (exit) => this.#onExit(sidecarName, exit),
    });
    this.application = new SupervisedProcess({
      ...options.application(options.identity),
      onLine: (line) => options.report({ kind: "output", process: pod, line }),
      onExit: (exit) => this.#onExit(pod, exit),
    });
  }

  get phase(): PodPhase {
    return this.#phase;
  }

  start(): void {
    this.#writeObject();
    this.sidecar.start();
    this.#scheduleProbe(startingProbeMs);
  }

  /**
   * Takes the pod out of the mesh: tells the control plane, lets callers know, stops the application, then the sidecar.
   * `graceMs` bounds the application's own end; without it, the Deployment's grace period applies. Call it once; `hurry`
   * shortens it.
   */
  async terminate(options: { readonly notice: boolean; readonly graceMs?: number }): Promise<void> {
    const wasReady = this.#phase === "ready";
    this.#phase = "terminating";
    clearTimeout(this.#timer);
    this.#solvePlacement();
    if (options.notice) {
      this.#options.report({ kind: "terminating", pod: this.identity.pod });
      this.#writeObject(wasReady, new Date().toISOString());
      await sleep(leaveNoticeMs);
    }
    await this.application.stop(options.graceMs ?? this.deployment.template.graceMs);
    await this.sidecar.stop(sidecarGraceMs);
    this.#options.state.forgetPod(this.identity, this.#files);
    this.#options.onGone();
  }

  /** Gives an application that is terminating at most `graceMs` from now. */
  async hurry(graceMs: number): Promise<void> {
    await this.application.stop(graceMs);
  }

  /**
   * Behaves as if its node lost power: both processes are gone, and nobody tells the control plane. `restore` brings them back.
   */
  async lose(): Promise<void> {
    this.#lost = true;
    clearTimeout(this.#timer);
    await Promise.all([this.application.stop(0), this.sidecar.stop(0)]);
  }

  restore(): void {
    this.#lost = false;
    this.#applicationSinceMs = undefined;
    this.#becomeUnready("it starts anew");
    this.sidecar.start();
    this.#scheduleProbe(startingProbeMs);
  }

  #onExit(name: string, exit: Exit): void {
    if (this.#lost || this.#phase === "terminating") return;
    this.#options.report({ kind: "exited", process: name, exit });
    this.#applicationSinceMs = performance.now();
    this.#becomeUnready(`${name} exited`);
    this.#scheduleProbe(startingProbeMs);
  }

  #scheduleProbe(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#probe(), delayMs);
  }

  async #probe(): Promise<void> {
    const trouble = await this.#trouble();
    if (this.#phase === "terminating" || this.#lost) return;
    const { readiness } = this.deployment.template;
    if (trouble === undefined) {
      this.#failures = 0;
      this.#becomeReady();
    } else if (++this.#failures >= (readiness?.failureThreshold ?? 3)) this.#becomeUnready(trouble);
    this.#scheduleProbe(this.#phase === "ready" ? (readiness?.periodMs ?? 10_000) : startingProbeMs);
  }

  /** Why the pod is not ready, or undefined if it is. */
  async #trouble(): Promise<string | undefined> {
    const { podIP } = this.identity;
    const sidecarReady = { kind: "http", port: sidecarPorts.admin, path: "/ready" } as const;
    if (!(await passes(sidecarReady, podIP, probeTimeoutMs))) return "its sidecar is not ready";
    if (this.#phase === "terminating" || this.#lost) return "it is on its way out";
    this.application.start();
    this.#applicationSinceMs ??= performance.now();
    const { readiness } = this.deployment.template;
    if (readiness === undefined) return this.application.pid === undefined ? "it does not run" : undefined;
    const passed = await passes(readiness.check, podIP, readiness.timeoutMs);
    if (passed && this.#phase === "ready") return undefined;
    return this.#judgePlacement(passed, readiness.check.port);
  }

  /** Reports an application that listens anywhere but on its own address: it would serve other pods' callers, or nobody. */
  #judgePlacement(passed: boolean, port: number): string | undefined {
    const { pid } = this.application;
    const waitedMs = performance.now() - (this.#applicationSinceMs ?? performance.now());
    if (pid === undefined || (!passed && waitedMs < listenPatienceMs)) return "it does not answer yet";
    const { pod, podIP } = this.identity;
    const listeners = listenersOf(processesOfGroup(pid));
    const wrong = listeners.find((listener) => listener.port === port && listener.address !== podIP);
    const right = listeners.some((listener) => listener.port === port && listener.address === podIP);
    const elsewhere = wrong ?? (right ? undefined : listeners[0]);
    if (elsewhere === undefined) {
      this.#solvePlacement();
      return passed ? undefined : `port ${port} does not answer`;
    }
    const where = `${elsewhere.address}:${elsewhere.port}`;
    const text = `${pod} listens on ${where}, not on ${podIP}:${port}: bind to the address in HOST, the port in PORT`;
    if (this.#placement !== text) {
      this.#solvePlacement();
      this.#placement = text;
      this.#options.report({ kind: "problem", text });
    }
    return "it listens elsewhere";
  }

  #solvePlacement(): void {
    if (this.#placement === undefined) return;
    this.#options.report({ kind: "solved", text: this.#placement });
    this.#placement = undefined;
  }

  #becomeReady(): void {
    if (this.#phase === "ready") return;
    this.#phase = "ready";
    this.#writeObject(true);
    this.#options.report({ kind: "ready", pod: this.identity.pod, podIP: this.identity.podIP });
    this.#options.onReadiness();
  }

  #becomeUnready(because: string): void {
    if (this.#phase !== "ready") return;
    this.#phase = "unready";
    this.#writeObject(false);
    this.#options.report({ kind: "unready", pod: this.identity.pod, because });
    this.#options.onReadiness();
  }

  #writeObject(ready = false, deletionTimestamp?: string): void {
    const status = { ready, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
    const object = podObject(this.identity, this.deployment, status, this.#options.version);
    this.#options.state.writePod(this.identity, object);
  }
}
