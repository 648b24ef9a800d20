/** Metrics about a control plane's duties in a cluster; standalone there are none. */

import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { AdmissionOutcome } from "./admission/server.ts";
import type { WriteOutcome } from "./status/status-writer.ts";

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Read at each scrape. */
export interface ClusterMetricSources {
  readonly leads: () => boolean;
  readonly countPodsWithoutSidecar: () => number;
}

export class ClusterMetrics {
  readonly #admissions: Counter<"path" | "outcome">;
  readonly #admissionSeconds: Histogram<"path">;
  readonly #statusWrites: Counter<"outcome">;

  constructor(registry: Registry, { leads, countPodsWithoutSidecar }: ClusterMetricSources) {
    const registers = [registry];
    this.#admissions = new Counter({
      name: "tulle_admission_requests_total",
      help: "Webhook requests of the API server, by outcome.",
      labelNames: ["path", "outcome"],
      registers,
    });
    this.#admissionSeconds = new Histogram({
      name: "tulle_admission_seconds",
      help: "Time from the head of a webhook's request to its answer.",
      labelNames: ["path"],
      buckets: secondsBuckets,
      registers,
    });
    this.#statusWrites = new Counter({
      name: "tulle_status_writes_total",
      help: "Writes of statuses to the API server, by outcome.",
      labelNames: ["outcome"],
      registers,
    });
    new Gauge({
      name: "tulle_status_leader",
      help: "Whether this replica is the one that writes statuses: 1 or 0.",
      registers,
      collect() {
        this.set(leads() ? 1 : 0);
      },
    });
    new Gauge({
      name: "tulle_pods_without_sidecar",
      help: "Pods that ask for a sidecar by their label or their namespace's, and run without one.",
      registers,
      collect() {
        this.set(countPodsWithoutSidecar());
      },
    });
  }

  readonly countAdmission = (path: string, outcome: AdmissionOutcome, seconds: number): void => {
    this.#admissions.inc({ path, outcome });
    this.#admissionSeconds.observe({ path }, seconds);
  };

  readonly countStatus = (outcome: WriteOutcome): void => this.#statusWrites.inc({ outcome });
}
