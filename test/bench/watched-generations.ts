/** When the API server notified a watch of each generation of a FaultInjection: the time that it takes by itself. */

import type { ClusterApi } from "../../control-plane/kubernetes/cluster-api.ts";

const silenceMs = 120_000;

export class WatchedGenerations implements AsyncDisposable {
  readonly #toldAtMs = new Map<number, number>();
  readonly #waiting = new Map<number, (atMs: number) => void>();
  readonly #stopping = new AbortController();
  readonly #ended: Promise<unknown>;

  /** `namespace` as in `/apis/tulle.dev/v1alpha1/namespaces/shop`. */
  constructor(api: ClusterApi, namespace: string) {
    const path = `${namespace}/faultinjections`;
    const watching = { path, query: {}, silenceMs, signal: this.#stopping.signal };
    // Only an abort ends it.
    this.#ended = api.watch({ ...watching, onEvent: (event) => this.#take(event) }).catch(() => undefined);
  }

  /** In ms on the machine's monotonic clock. */
  when(generation: number): Promise<number> {
    const toldAtMs = this.#toldAtMs.get(generation);
    if (toldAtMs !== undefined) return Promise.resolve(toldAtMs);
    return new Promise((resolve) => this.#waiting.set(generation, resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }

  #take(event: unknown): void {
    const atMs = Number(process.hrtime.bigint()) / 1e6;
    const { generation } = (event as { object: { metadata: { generation: number } } }).object.metadata;
    // Writing the status creates no new generation.
    if (this.#toldAtMs.has(generation)) return;
    this.#toldAtMs.set(generation, atMs);
    this.#waiting.get(generation)?.(atMs);
    this.#waiting.delete(generation);
  }
}
