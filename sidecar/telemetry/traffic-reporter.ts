/**
 * What the application has called since the last report: differences of counters that exist anyway. It counts nothing on a
 * request's way, and sends nothing itself.
 */

import type { EdgeTraffic } from "../../proto/generated/tulle/v1/EdgeTraffic.ts";
import type { TrafficReport } from "../../proto/generated/tulle/v1/TrafficReport.ts";
import type { Identity } from "../identity/credentials.ts";
import { isOutsideMesh } from "../outside.ts";
import type { SidecarState } from "../sidecar.ts";
import type { SidecarMetrics } from "./metrics.ts";
import type { RecentSpans } from "./recent-spans.ts";

export interface ReportSources {
  readonly metrics: Pick<SidecarMetrics, "requests" | "requestDuration" | "lostCalls">;
  readonly state: () => SidecarState;
  readonly identity: Identity;
  readonly spans: RecentSpans;
}

/** Without traffic, a sidecar reports this often that it exists, and until when its certificate is valid. */
const aliveEveryMs = 60_000;
/** The most entries in each list, so that a report's size is limited. */
const maxEntries = 500;

export class TrafficReporter {
  readonly #sources: ReportSources;
  /** What the last report said, by series: the labels of a series are one object as long as it lives. */
  readonly #requestsTold = new WeakMap<object, number>();
  readonly #reportedDurations = new WeakMap<object, readonly number[]>();
  readonly #lostTold = new WeakMap<object, number>();
  /** The time since the last report, during which there was nothing to report. */
  #quietMs = Number.POSITIVE_INFINITY;

  /** The last report named breakers, so one more is due to say that they have closed. */
  #toldBreakers = false;

  constructor(sources: ReportSources) {
    this.#sources = sources;
  }

  /** `windowMs`: the time since the last call. Undefined: there is nothing new to report. */
  take(windowMs: number): TrafficReport | undefined {
    const edges = this.#edges();
    const latencies = this.#latencies();
    const breakers = this.#breakers();
    const spans = this.#sources.spans.take();
    const quiet = edges.length === 0 && breakers.length === 0 && spans.length === 0 && !this.#toldBreakers;
    if (quiet && (this.#quietMs += windowMs) < aliveEveryMs) return undefined;
    this.#quietMs = 0;
    this.#toldBreakers = breakers.length > 0;
    const certificateExpiryUnixSeconds = Math.floor(this.#sources.identity.current().notAfterMs / 1_000);
    return {
      windowMs: Math.round(windowMs),
      edges,
      latencies,
      breakers,
      certificateExpiryUnixSeconds,
      spans,
      lostCalls: this.#lostCalls(),
    };
  }

  #lostCalls(): number {
    const { lostCalls } = this.#sources.metrics;
    let fresh = 0;
    for (const [slot, labels] of lostCalls.labelSets.entries) {
      fresh += lostCalls.value(slot) - (this.#lostTold.get(labels) ?? 0);
      this.#lostTold.set(labels, lostCalls.value(slot));
    }
    return fresh;
  }

  #edges(): NonNullable<TrafficReport["edges"]> {
    const { requests } = this.#sources.metrics;
    const edges = new Map<string, Required<EdgeTraffic>>();
    for (const [slot, labels] of requests.labelSets.entries) {
      const { direction, service, peer, tls, result } = labels;
      const total = requests.value(slot);
      const fresh = total - (this.#requestsTold.get(labels) ?? 0);
      this.#requestsTold.set(labels, total);
      if (direction !== "outbound" || fresh === 0 || isOutsideMesh(service)) continue;
      const key = `${service}\u0000${peer}`;
      const edge = edges.get(key) ?? { service, backend: peer, requests: 0, failures: 0, mutualTls: 0, plaintext: 0 };
      edge.requests += fresh;
      if (tls === "mutual") edge.mutualTls += fresh;
      if (tls === "none") edge.plaintext += fresh;
      if (result !== "success") edge.failures += fresh;
      edges.set(key, edge);
    }
    return [...edges.values()].slice(0, maxEntries);
  }

  #latencies(): NonNullable<TrafficReport["latencies"]> {
    const { requestDuration } = this.#sources.metrics;
    const latencies: { service: string; cumulative: number[] }[] = [];
    for (const [slot, labels] of requestDuration.labelSets.entries) {
      const { direction, service } = labels;
      if (direction !== "outbound" || isOutsideMesh(service)) continue;
      const total = [...requestDuration.cumulative(slot), requestDuration.count(slot)];
      const reported = this.#reportedDurations.get(labels);
      this.#reportedDurations.set(labels, total);
      const cumulative = total.map((count, index) => count - (reported?.[index] ?? 0));
      if ((cumulative.at(-1) ?? 0) > 0) latencies.push({ service, cumulative });
    }
    return latencies.slice(0, maxEntries);
  }

  #breakers(): NonNullable<TrafficReport["breakers"]> {
    const breakers: { backend: string; endpoint: string; open: boolean }[] = [];
    for (const { name, liveEndpoints } of this.#sources.state().backends.all) {
      for (const { breakerState, endpoint } of liveEndpoints) {
        if (breakerState === undefined || breakerState === "closed") continue;
        breakers.push({ backend: name, endpoint: endpoint.address, open: breakerState === "open" });
        if (breakers.length === maxEntries) return breakers;
      }
    }
    return breakers;
  }
}
