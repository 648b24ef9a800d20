/**
 * Keeps the trust bundle where sidecars mount it: a ConfigMap in every namespace that has, or should have, pods of the mesh. If
 * it is missing, changed by others or out of date, it is written again; a namespace that leaves the mesh loses it.
 */

import { type Log, reasonOf } from "../../system/log.ts";
import { injectLabel, proxyVersionAnnotation } from "../injection/marks.ts";
import { type ApiAnswer, type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isKind, isRecord, type ObjectKey, objectKey } from "../source/kube-object.ts";
import { Reflector, type ReflectorTiming } from "../source/kubernetes/reflector.ts";
import type { WatchedKind } from "../source/kubernetes/watched-kinds.ts";
import type { SourceChange } from "../source/source.ts";

export const trustBundleName = "tulle-trust-bundle";
const trustBundleKey = "trust-bundle.pem";

const configMaps: WatchedKind = {
  group: "",
  versions: ["v1"],
  kind: "ConfigMap",
  plural: "configmaps",
  empty: "unlikely",
};
const ownLabels = { "app.kubernetes.io/part-of": "tulle" };
/** The wait before a failed write is tried again. */
const retryMs = 2_000;

export interface TrustBundleOptions {
  readonly api: ClusterApi;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly timing?: Partial<ReflectorTiming>;
}

export class TrustBundleKeeper {
  readonly #options: TrustBundleOptions;
  /** The existing namespaces: whether they ask for sidecars, and whether they are being deleted. */
  readonly #namespaces = new Map<string, { readonly asks: boolean; readonly ends: boolean }>();
  /** The namespaces of pods with a sidecar, by the pod's key. */
  readonly #pods = new Map<ObjectKey, string>();
  /** The number of such pods, by namespace. */
  readonly #podCounts = new Map<string, number>();
  /** What a namespace's ConfigMap says; undefined: it is not one of ours. */
  readonly #written = new Map<string, string | undefined>();
  readonly #due = new Set<string>();
  #bundlePem: string;
  #listed = false;
  #working = false;

  constructor(bundlePem: string, options: TrustBundleOptions) {
    this.#bundlePem = bundlePem;
    this.#options = options;
  }

  /** Starts to follow and write the ConfigMaps. */
  start(): void {
    const { api, log, signal, timing = {} } = this.#options;
    const reflector = new Reflector({
      api,
      kind: configMaps,
      scope: { name: trustBundleName },
      signal,
      random: Math.random,
      timing,
      onList: (objects) => {
        this.#written.clear();
        for (const object of objects) this.#noteWritten(object);
        this.#listed = true;
        this.#markAll();
      },
      onChange: (object) => this.#mark(this.#noteWritten(object)),
      onDelete: (object) => {
        const namespace = this.#noteWritten(object);
        this.#written.delete(namespace);
        this.#mark(namespace);
      },
      onTrouble: (reason) => {
        if (reason !== undefined) log("warn", "trust bundles can't be followed", { reason });
      },
    });
    void reflector.run();
  }

  /** Learns from the source which namespaces are in the mesh. */
  apply({ applied, removed }: SourceChange): void {
    for (const key of removed) {
      if (key.startsWith("Namespace ")) this.#namespaces.delete(key.slice("Namespace /".length));
      else this.#countPod(key, undefined);
    }
    for (const object of applied) {
      const { name, namespace, labels, annotations, deletionTimestamp } = object.metadata;
      if (isKind(object, "Namespace")) {
        const asks = labels.get(injectLabel) === "enabled";
        this.#namespaces.set(name, { asks, ends: deletionTimestamp !== undefined });
        this.#mark(name);
      } else if (isKind(object, "Pod")) {
        this.#countPod(objectKey(object), annotations.has(proxyVersionAnnotation) ? namespace : undefined);
      }
    }
  }

  /** Changes the roots to be trusted. */
  replace(bundlePem: string): void {
    if (bundlePem === this.#bundlePem) return;
    this.#bundlePem = bundlePem;
    this.#markAll();
  }

  /**
   * Namespaces of the mesh whose bundle is missing or out of date. A namespace that is being deleted, however long that takes,
   * gets nothing new.
   */
  get unwritten(): readonly string[] {
    const owed = (namespace: string, ends: boolean) =>
      this.#isMember(namespace) && (!ends || this.#written.has(namespace));
    const namespaces = Array.from(this.#namespaces).flatMap(([name, { ends }]) => (owed(name, ends) ? [name] : []));
    return this.#listed ? namespaces.filter((namespace) => !this.#isRight(namespace)) : namespaces;
  }

  #countPod(key: ObjectKey, namespace: string | undefined): void {
    const before = this.#pods.get(key);
    if (before === namespace) return;
    for (const [where, by] of [[before, -1] as const, [namespace, 1] as const]) {
      if (where === undefined) continue;
      this.#podCounts.set(where, (this.#podCounts.get(where) ?? 0) + by);
      this.#mark(where);
    }
    if (namespace === undefined) this.#pods.delete(key);
    else this.#pods.set(key, namespace);
  }

  #noteWritten(object: Readonly<Record<string, unknown>>): string {
    const metadata = isRecord(object["metadata"]) ? object["metadata"] : {};
    const contents = isRecord(object["data"]) ? object["data"] : {};
    const namespace = String(metadata["namespace"]);
    const text = contents[trustBundleKey];
    this.#written.set(namespace, typeof text === "string" ? text : undefined);
    return namespace;
  }

  #isMember(namespace: string): boolean {
    return (this.#namespaces.get(namespace)?.asks ?? false) || (this.#podCounts.get(namespace) ?? 0) > 0;
  }

  #isRight(namespace: string): boolean {
    if (!this.#namespaces.has(namespace)) return true;
    return this.#isMember(namespace) ? this.#written.get(namespace) === this.#bundlePem : !this.#written.has(namespace);
  }

  #markAll(): void {
    for (const namespace of this.#namespaces.keys()) this.#mark(namespace);
  }

  #mark(namespace: string): void {
    if (!this.#isRight(namespace)) this.#due.add(namespace);
    if (this.#due.size > 0 && this.#listed && !this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    const { signal, log } = this.#options;
    this.#working = true;
    for (const namespace of this.#due) {
      if (signal.aborted) return;
      this.#due.delete(namespace);
      if (this.#isRight(namespace)) continue;
      const refusal = await this.#put(namespace).catch(reasonOf);
      if (refusal === undefined) continue;
      log("warn", "trust bundle not written", { namespace, reason: refusal });
      setTimeout(() => this.#mark(namespace), retryMs).unref();
    }
    this.#working = false;
  }

  /** Undefined: done. */
  async #put(namespace: string): Promise<string | undefined> {
    const { api, signal, log } = this.#options;
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    if (!this.#isMember(namespace)) {
      const answer = await api.request({ method: "DELETE", path: `${path}/${trustBundleName}`, signal });
      return answer.status === 404 ? undefined : refusalIn(answer);
    }
    const body = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: trustBundleName, namespace, labels: ownLabels },
      data: { [trustBundleKey]: this.#bundlePem },
    };
    const isThere = this.#written.has(namespace);
    const answer = isThere
      ? await api.request({ method: "PUT", path: `${path}/${trustBundleName}`, body, signal })
      : await api.request({ method: "POST", path, body, signal });
    // The namespace is being deleted, or another replica was first: the watch will tell.
    if (answer.status === 409 || answer.status === 404 || isEnding(answer)) return undefined;
    if (answer.status < 300) log("info", "trust bundle written", { namespace });
    return refusalIn(answer);
  }
}

function refusalIn(answer: ApiAnswer): string | undefined {
  return answer.status < 300 ? undefined : describeAnswer(answer);
}

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespacelifecycle */
function isEnding({ status, body }: ApiAnswer): boolean {
  return status === 403 && describeAnswer({ status, body }).includes("is being terminated");
}
