/** A mesh of many Services as the control plane would report it, and how it changes: the same for the same seed. */

import type { MeshView } from "../../control-plane/dashboard/mesh-view.ts";
import { seededRandom } from "../support/seeded-random.ts";

const servicesOfNamespace = 25;
const callsOfService = 4;
const podsOfService = 2;
const policyKinds = ["RetryPolicy", "TimeoutPolicy", "CircuitBreaker"];
const hourMs = 3_600_000;

type Edge = MeshView["edges"][number];

export class LargeMesh {
  readonly #names: readonly string[];
  readonly #calls: readonly Pick<Edge, "from" | "service" | "backend">[];
  readonly #random = seededRandom(11);
  readonly #startMs = Date.now();

  /** Each Service calls some of those after it, as applications do. */
  constructor(services: number) {
    this.#names = Array.from(
      { length: services },
      (_, n) => `team-${Math.floor(n / servicesOfNamespace)}/service-${n}`,
    );
    this.#calls = this.#names.flatMap((from, n) =>
      Array.from({ length: callsOfService }, (_, k) => this.#names[n + 1 + k * 7])
        .filter((service) => service !== undefined)
        .map((service) => ({ from, service, backend: service })),
    );
  }

  /** The next picture: figures differ, and what is there does not. */
  next(): MeshView {
    const random = this.#random;
    const names = this.#names;
    return {
      version: "0.1.0",
      windowMs: 10_000,
      edges: this.#calls.map((call) => ({
        ...call,
        requestsPerSecond: 10 ** (random() * 4),
        successShare: random() < 0.9 ? 1 : random(),
      })),
      latencies: names.map((service) => ({
        service,
        p50Ms: random() * 20,
        p99Ms: random() < 0.1 ? undefined : random() * 5_000,
      })),
      breakers: names.slice(0, 5).map((from, n) => ({
        from,
        backend: `service-${n + 1}.team-0.svc.cluster.local:80`,
        endpoint: `10.0.0.${n}:8080`,
        state: "open",
      })),
      splits: names.slice(0, 300).map((service) => ({
        service,
        route: `TrafficSplit ${service}`,
        backends: [
          { service: `${service}-v1`, wanted: 0.9, observed: 0.85 + random() / 10 },
          { service: `${service}-v2`, wanted: 0.1, observed: 0.1 },
        ],
      })),
      policies: names.flatMap((name) =>
        policyKinds.map((kind) => ({ kind, name, conditions: conditions(), subjects: [name] })),
      ),
      sidecars: names.flatMap((name) => this.#sidecars(name)),
      traces: names.slice(0, 50).map((workload, n) => ({
        id: String(n).padStart(32, "0"),
        workload,
        name: "GET /items",
        startMs: this.#startMs,
        durationMs: 12,
        spans: 9,
        failed: n % 7 === 0,
        workloads: names.slice(n, n + 3),
      })),
      lost: [],
      problems: [],
    };
  }

  #sidecars(workload: string): MeshView["sidecars"] {
    const [namespace = "", account = ""] = workload.split("/");
    return Array.from({ length: podsOfService }, (_, n) => ({
      pod: `${workload}-5d4f7c9b8-${n}x2x8`,
      workload,
      services: [workload],
      identity: `spiffe://cluster.local/ns/${namespace}/sa/${account}`,
      version: "0.1.0",
      certificateEndsMs: this.#startMs + 23 * hourMs,
    }));
  }
}

function conditions(): MeshView["policies"][number]["conditions"] {
  return [
    { type: "Accepted", status: "True", message: "", good: true },
    { type: "ResolvedRefs", status: "True", message: "", good: true },
    { type: "Programmed", status: "True", message: "2/2", good: true },
  ];
}
