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
  /** May contain most pods of a large cluster, so entries are as small as possible. */
  readonly #pods = new Map<ObjectKey, PodWithoutSidecar & { readonly wish: Wish }>();

  constructor(meshNamespace: string) {
    this.#meshNamespace = meshNamespace;
  }

  apply({ applied, removed }: SourceChange): void {
    for (const key of removed) {
      this.#pods.delete(key);
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
    return [...this.#pods.values()]
      .filter(({ namespace, wish }) => asksForSidecar(wish, this.#namespaces.get(namespace)))
      .map(({ namespace, name, uid }) => ({ namespace, name, ...(uid !== undefined && { uid }) }))
      .sort((a, b) => compareStrings(a.namespace, b.namespace) || compareStrings(a.name, b.name));
  }

  #take(object: KubeObject): void {
    const { namespace, name, uid, labels, annotations } = object.metadata;
    const phase = object.status instanceof Object && "phase" in object.status ? object.status.phase : undefined;
    const isExempt =
      annotations.has(proxyVersionAnnotation) ||
      annotations.has(mirrorAnnotation) ||
      endedPhases.includes(phase) ||
      namespace === this.#meshNamespace ||
      clusterNamespaces.includes(namespace);
    if (isExempt) this.#pods.delete(object.key);
    else
      this.#pods.set(object.key, { namespace, name, ...(uid !== undefined && { uid }), wish: labels.get(injectLabel) });
  }
}
