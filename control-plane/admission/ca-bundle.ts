/**
 * Maintains the `caBundle` of our own webhook configurations: they are found by name, and no other is touched. Helm writes
 * the rest of them and never this field, so neither undoes the other.
 *
 * Each configuration is watched, and corrected from its state as of the last event. Every replica does this, and all write
 * the same.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelayMs } from "../../model/backoff.ts";
import type { Random } from "../../model/clock.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import { type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isRecord } from "../source/kube-object.ts";

/** The names that the chart gives them. */
const webhookConfigurations = {
  mutatingwebhookconfigurations: "tulle-injection",
  validatingwebhookconfigurations: "tulle-validation",
} as const;

export interface CaBundleOptions {
  readonly api: Pick<ClusterApi, "request" | "watch">;
  /** Returns the certificates that verify our serving certificates, in PEM, as of now. */
  readonly bundle: () => string;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const group = "/apis/admissionregistration.k8s.io/v1";
/** A watch is restarted this often, which reads the configuration again, whatever was missed. */
const watchSeconds = 300;
const graceMs = 30_000;
const pace = { initialDelayMs: 500, backoffMultiplier: 2, maxDelayMs: 30_000, jitter: 0.5 };
/** A watch that lasted this long did not fail. */
const steadyMs = 10_000;

export interface CaBundleKeeper {
  /** To be called when the bundle has changed. */
  putRight(): void;
  /** Configurations that don't have the current bundle. */
  readonly unwritten: readonly string[];
}

/** Begins at once, and continues until `signal`. Never rejects. */
export function keepCaBundles(options: CaBundleOptions): CaBundleKeeper {
  const kept = Object.entries(webhookConfigurations).map(([plural, name]) => new Configuration(plural, name, options));
  for (const configuration of kept) void configuration.follow();
  return {
    putRight() {
      for (const configuration of kept) void configuration.putRight();
    },
    get unwritten() {
      return kept.filter(({ isRight }) => !isRight).map(({ name }) => name);
    },
  };
}

class Configuration {
  readonly #collection: string;
  readonly name: string;
  readonly #options: CaBundleOptions;
  /** As of the last event; undefined: there is no configuration. */
  #webhooks: readonly unknown[] | undefined;
  /** Patches run one after the other, each from the state when its turn comes. */
  #turn: Promise<void> = Promise.resolve();

  constructor(plural: string, name: string, options: CaBundleOptions) {
    this.#collection = `${group}/${plural}`;
    this.name = name;
    this.#options = options;
  }

  async follow(): Promise<void> {
    const { signal, log, random } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      const startMs = performance.now();
      const reason = await this.#watch();
      if (signal.aborted) return;
      failures = performance.now() - startMs < steadyMs ? failures + 1 : 0;
      if (reason !== undefined) log("warn", "webhook configuration not watched", { name: this.name, reason });
      await sleep(backoffDelayMs(pace, Math.max(failures, 1), random), undefined, { signal }).catch(() => {});
    }
  }

  /** As of the last event. A configuration that does not exist needs nothing. */
  get isRight(): boolean {
    return caBundlePatch(this.#webhooks ?? [], this.#options.bundle()).length === 0;
  }

  putRight(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#patch());
    return this.#turn;
  }

  /** Returns an error; undefined: it ended normally. */
  async #watch(): Promise<string | undefined> {
    const { api, signal } = this.#options;
    try {
      const refused = await api.watch({
        path: this.#collection,
        query: { fieldSelector: `metadata.name=${this.name}`, timeoutSeconds: `${watchSeconds}` },
        silenceMs: watchSeconds * 1000 + graceMs,
        signal,
        onEvent: (event) => this.#take(event),
      });
      return refused && describeAnswer(refused);
    } catch (error) {
      return reasonOf(error);
    }
  }

  #take(event: unknown): void {
    const { type, object } = isRecord(event) ? event : {};
    if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED") return;
    const webhooks = isRecord(object) ? object["webhooks"] : undefined;
    this.#webhooks = type !== "DELETED" && Array.isArray(webhooks) ? webhooks : undefined;
    void this.putRight();
  }

  /** Never rejects: what fails now is tried again at the next event of the watch. */
  async #patch(): Promise<void> {
    const { api, log, bundle } = this.#options;
    const patch = caBundlePatch(this.#webhooks ?? [], bundle());
    if (patch.length === 0) return;
    const { name } = this;
    try {
      const answer = await api.request({
        method: "PATCH",
        path: `${this.#collection}/${name}`,
        contentType: "application/json-patch+json",
        body: patch,
      });
      if (answer.status === 200) {
        log("info", "webhook configuration given its CA bundle", { name });
        this.#webhooks = isRecord(answer.body) && Array.isArray(answer.body["webhooks"]) ? answer.body["webhooks"] : [];
      } else log("warn", "webhook configuration not given its CA bundle", { name, reason: describeAnswer(answer) });
    } catch (error) {
      log("warn", "webhook configuration not given its CA bundle", { name, reason: reasonOf(error) });
    }
  }
}

/** Sets the bundle where it differs; each step applies only if that entry is still the same webhook. */
function caBundlePatch(webhooks: readonly unknown[], bundle: string): object[] {
  const value = Buffer.from(bundle).toString("base64");
  return webhooks.flatMap((webhook, index) => {
    const { name, clientConfig } = isRecord(webhook) ? webhook : {};
    if (!isRecord(clientConfig) || clientConfig["caBundle"] === value) return [];
    return [
      { op: "test", path: `/webhooks/${index}/name`, value: name },
      { op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value },
    ];
  });
}
