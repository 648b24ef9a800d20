/**
 * Pods that should have a sidecar and run without one: they are older than the label that asks for it, or were created while
 * the webhook was down. No policy applies to them, and they talk in the clear. This file knows which pods they are now;
 * `status/sidecar-events.ts` reports them.
 */

import { isKind, type KubeObject, type ObjectKey } from "../source/kube-object.ts";
import { compareStrings } from "../source/problem.ts";
import type { SourceChange } from "../source/source.ts";
import { clusterNamespaces, mirrorAnnotation } from "./inject.ts";
import { injectLabel, proxyVersionAnnotation } from "./marks.ts";

export interface PodWithoutSidecar {
  readonly namespace: string;
  readonly name: string;
  /** Absent in folders. */
  readonly uid?: string;
}

/** The value of `tulle.dev/inject`; undefined: the label is absent. */
type Wish = string | undefined;

const endedPhases: readonly unknown[] = ["Succeeded", "Failed"];

/** Whether a pod of this namespace should get a sidecar: its own label takes precedence over its namespace's. */
function asksForSidecar(pod: Wish, namespace: Wish): boolean {
  return pod === "enabled" || (namespace === "enabled" && pod !== "disabled");
}

export class PodsWithoutSidecar {
  readonly #meshNamespace: string;
  readonly #namespaces = new Map<string, Wish>();
  /** The uids; absent in folders. May contain most pods of a large cluster, so entries are as small as possible. */
  readonly #pods = new Map<ObjectKey, string | undefined>();
  /** Of those that have one themselves. */
  readonly #wishes = new Map<ObjectKey, string>();

  constructor(meshNamespace: string) {
    this.#meshNamespace = meshNamespace;
  }

  apply({ applied, removed }: SourceChange): void {
    for (const key of removed) {
      this.#forget(key);
      if (key.startsWith("Namespace ")) this.#namespaces.delete(key.slice("Namespace /".length));
    }
    for (const object of applied) {
      if (isKind(object, "Namespace"))
        this.#namespaces.set(object.metadata.name, object.metadata.labels.get(injectLabel));
      else if (isKind(object, "Pod")) this.#take(object);
    }
  }

  /** Sorted by namespace and name. */
  list(): readonly PodWithoutSidecar[] {
    const pods: PodWithoutSidecar[] = [];
    for (const [key, uid] of this.#pods) {
      const [namespace = "", name = ""] = key.slice("Pod ".length).split("/");
      if (asksForSidecar(this.#wishes.get(key), this.#namespaces.get(namespace)))
        pods.push({ namespace, name, ...(uid !== undefined && { uid }) });
    }
    return pods.sort((a, b) => compareStrings(a.namespace, b.namespace) || compareStrings(a.name, b.name));
  }

  #take(object: KubeObject): void {
    const { namespace, uid, labels, annotations } = object.metadata;
    const phase = object.status instanceof Object && "phase" in object.status ? object.status.phase : undefined;
    const isExempt =
      annotations.has(proxyVersionAnnotation) ||
      annotations.has(mirrorAnnotation) ||
      endedPhases.includes(phase) ||
      namespace === this.#meshNamespace ||
      clusterNamespaces.includes(namespace);
    this.#forget(object.key);
    if (isExempt) return;
    this.#pods.set(object.key, uid);
    const wish = labels.get(injectLabel);
    if (wish !== undefined) this.#wishes.set(object.key, wish);
  }

  #forget(key: ObjectKey): void {
    this.#pods.delete(key);
    this.#wishes.delete(key);
  }
}
