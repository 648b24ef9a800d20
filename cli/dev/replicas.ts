/**
 * The pods of one Deployment, kept as the folder says: as many as `replicas`, all from the current template. A changed template
 * first starts all new pods, and stops the old ones when those are ready, so a broken template harms nothing.
 */

import { isDeepStrictEqual } from "node:util";
import type { DevDeployment } from "./deployments.ts";
import type { Pod } from "./pod.ts";

type ReplicaStep =
  | { readonly kind: "start" }
  | { readonly kind: "stop"; readonly pod: Pick<Pod, "deployment" | "phase"> }
  | { readonly kind: "settled" };

/** The next step towards `wanted`; undefined means no pods at all. Pods are sorted, oldest first. */
export function nextStep(
  wanted: DevDeployment | undefined,
  pods: readonly Pick<Pod, "deployment" | "phase">[],
): ReplicaStep {
  const fresh = pods.filter(({ deployment }) => wanted && isDeepStrictEqual(deployment.template, wanted.template));
  const stale = pods.filter((pod) => !fresh.includes(pod));
  const replicas = wanted?.replicas ?? 0;
  if (fresh.length < replicas) return { kind: "start" };
  const newest = fresh.at(-1);
  if (fresh.length > replicas && newest !== undefined) return { kind: "stop", pod: newest };
  const oldest = stale[0];
  if (oldest !== undefined && fresh.every(({ phase }) => phase === "ready")) return { kind: "stop", pod: oldest };
  return { kind: "settled" };
}

/** Undefined: there is no address for another pod. */
type PodMaker = (deployment: DevDeployment, ordinal: number) => Pod | undefined;

export class Replicas {
  readonly #makePod: PodMaker;
  readonly #leaving = new Map<Pod, Promise<void>>();
  #wanted: DevDeployment | undefined;
  #pods: readonly Pod[] = [];
  /** Ordinals are never reused, so that `web-1` means one process in every log. */
  #ordinal = 0;

  constructor(makePod: PodMaker) {
    this.#makePod = makePod;
  }

  /** The pods that should serve, oldest first, without terminating ones. */
  get pods(): readonly Pod[] {
    return this.#pods;
  }

  get settled(): boolean {
    return this.#pods.every(({ phase }) => phase === "ready") && nextStep(this.#wanted, this.#pods).kind === "settled";
  }

  /** Undefined: the Deployment is gone. */
  apply(wanted: DevDeployment | undefined): void {
    this.#wanted = wanted;
    this.reconcile();
  }

  /** Call it whenever a pod's readiness has changed. */
  reconcile(): void {
    for (;;) {
      const step = nextStep(this.#wanted, this.#pods);
      switch (step.kind) {
        case "settled":
          return;
        case "start":
          if (!this.#start()) return;
          break;
        case "stop":
          this.#release(step.pod, { notice: true });
      }
    }
  }

  /** Ends all pods at once, terminating ones too. */
  async stop(graceMs: number): Promise<void> {
    this.#wanted = undefined;
    const hurried = [...this.#leaving.keys()].map((pod) => pod.hurry(graceMs));
    for (const pod of this.#pods) this.#release(pod, { notice: false, graceMs });
    await Promise.all([...hurried, ...this.#leaving.values()]);
  }

  /** False: not possible now. */
  #start(): boolean {
    const pod = this.#wanted && this.#makePod(this.#wanted, this.#ordinal + 1);
    if (pod === undefined) return false;
    this.#ordinal += 1;
    this.#pods = [...this.#pods, pod];
    pod.start();
    return true;
  }

  #release(leaver: Pick<Pod, "deployment" | "phase">, options: Parameters<Pod["terminate"]>[0]): void {
    const pod = this.#pods.find((candidate) => candidate === leaver);
    if (pod === undefined) return;
    this.#pods = this.#pods.filter((candidate) => candidate !== pod);
    const left = pod.terminate(options).finally(() => this.#leaving.delete(pod));
    this.#leaving.set(pod, left);
  }
}
