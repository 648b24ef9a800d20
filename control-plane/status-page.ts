/** The state of the mesh, and what needs fixing in it, gathered from the parts as plain data. */

import type { Log } from "../system/log.ts";
import { type MeshView, meshView } from "./dashboard/mesh-view.ts";
import type { Census } from "./identity/census.ts";
import type { PodsWithoutSidecar } from "./injection/pods-without-sidecar.ts";
import { allProblems, type Pipeline } from "./pipeline.ts";
import type { Holder, ResourceAcks } from "./push/acks.ts";
import type { Peer, PushHub } from "./push/push-hub.ts";
import type { OtherReplicas } from "./replicas/replicas.ts";
import { formatProblem, type Problem } from "./source/problem.ts";
import type { Condition } from "./status/condition.ts";
import type { Acknowledgements, PolicyStatus } from "./status/policy-status.ts";
import { type NotProgrammed, whileReturning } from "./status/programmed.ts";
import type { RouteStatus } from "./status/route-status.ts";
import { policyTarget, routeTarget, type StatusTarget } from "./status/status-target.ts";
import type { TraceView } from "./traffic/trace-store.ts";
import type { Traffic } from "./traffic/traffic-store.ts";

export interface Status {
  /** One line each, as in the log. */
  readonly problems: readonly string[];
  /** Counted over all replicas of the control plane, and so are routes; the rest covers only the sidecars of this one. */
  readonly policies: readonly PolicyStatus[];
  readonly routes: readonly RouteStatus[];
  /** The other replicas. */
  readonly replicas: readonly string[];
  readonly sidecars: readonly Peer[];
  /** `namespace/name`. */
  readonly readyPods: readonly string[];
  readonly resources: readonly ResourceAcks[];
  /** `namespace/name` of the pods that should have a sidecar; empty in a folder. */
  readonly podsWithoutSidecar: readonly string[];
}

/** Problems are gathered from all objects, so not after each change in a burst. */
const settleMs = 200;
/** Gathering them for the log takes at most this share of the time, however often something changes. */
const gatherShare = 0.05;

export interface StatusSources {
  readonly pipeline: Pipeline;
  readonly hub: PushHub;
  readonly others: OtherReplicas;
  /** The sidecars that are connected to any replica. */
  readonly census: () => Census;
  readonly podsWithoutSidecar: PodsWithoutSidecar;
  readonly log: Log;
}

export class StatusPage {
  readonly #pipeline: Pipeline;
  readonly #hub: PushHub;
  readonly #others: OtherReplicas;
  readonly #census: () => Census;
  readonly #podsWithoutSidecar: PodsWithoutSidecar;
  readonly #log: Log;
  #logged: ReadonlySet<string> = new Set();
  #soon = false;
  /** As of the last change of the source: problems depend on nothing else, and are read at every scrape. */
  #problems: readonly Problem[] | undefined;
  /** As of the last change of any kind. */
  #notProgrammed: NotProgrammed | undefined;
  #gatherMs = 0;

  constructor({ pipeline, hub, others, census, podsWithoutSidecar, log }: StatusSources) {
    this.#census = census;
    this.#podsWithoutSidecar = podsWithoutSidecar;
    this.#pipeline = pipeline;
    this.#hub = hub;
    this.#others = others;
    this.#log = log;
  }

  /** The content of `/status`. */
  read(): Status {
    const policies = this.#policies();
    const routes = this.#routes();
    return {
      problems: allProblems(this.#pipeline.index, [...policies, ...routes]).map(formatProblem),
      policies,
      routes,
      replicas: this.#others.names,
      sidecars: this.#hub.peers(),
      readyPods: this.#pipeline.index.readyPods(),
      resources: this.#hub.acks(),
      podsWithoutSidecar: this.#podsWithoutSidecar.list().map(({ namespace, name }) => `${namespace}/${name}`),
    };
  }

  /** The statuses for the API server. `returning`: sidecars may still be on their way to a replica. */
  targets(returning: boolean): readonly StatusTarget[] {
    const known = (conditions: readonly Condition[]) => (returning ? conditions.map(whileReturning) : conditions);
    const policies = this.#policies().map((status) => ({ ...status, conditions: known(status.conditions) }));
    const routes = this.#routes().map(({ parents, ...status }) => ({
      ...status,
      parents: parents.map((parent) => ({ ...parent, conditions: known(parent.conditions) })),
    }));
    return [
      ...policies.flatMap((status) => policyTarget(status) ?? []),
      ...routes.map(routeTarget),
      // A route may have had a Service as its parent: what was written about it then is removed.
      ...this.#pipeline.index.othersRoutes().map((route) => routeTarget({ ...route, parents: [] })),
    ];
  }

  /** Whether a ready pod has a sidecar that is not connected to any replica. */
  isAnySidecarMissing(): boolean {
    const connected = new Set(
      this.#census().replicas.flatMap(({ sidecars }) => sidecars.map(({ namespace, pod }) => `${namespace}/${pod}`)),
    );
    return this.#pipeline.index.isAnyMeshedBeyond(connected);
  }

  /** The view for the dashboard. */
  view(traffic: Traffic, traces: readonly TraceView[]): MeshView {
    const policies = this.#policies();
    const routes = this.#routes();
    const problems = allProblems(this.#pipeline.index, [...policies, ...routes]);
    const peers = this.#hub.peers();
    return meshView({ pipeline: this.#pipeline, policies, routes, problems, peers, traffic, traces });
  }

  /**
   * The sidecars of this replica that have a policy or route, by its `policyName`; sorted, each once. A sidecar that lacks a
   * part of it does not have it yet. Empty: it is in force nowhere, or there is none of that name.
   */
  holders(policy: string): readonly Holder[] {
    const byPod = new Map<string, Holder>();
    for (const { kind, name } of this.#pipeline.resourcesWith(policy)) {
      for (const holder of this.#hub.holders(kind, name)) {
        const known = byPod.get(holder.pod);
        if (known === undefined || (known.standing !== "nacked" && holder.standing !== "acked")) {
          byPod.set(holder.pod, holder);
        }
      }
    }
    return [...byPod.values()].sort((a, b) => (a.pod < b.pod ? -1 : 1));
  }

  countProblems(): { error: number; warning: number } {
    const counts = { error: 0, warning: 0 };
    for (const { severity } of this.#findProblems()) counts[severity]++;
    return counts;
  }

  countNotProgrammed(): NotProgrammed {
    this.#notProgrammed ??= this.#pipeline.countNotProgrammed(this.#acknowledgements);
    return this.#notProgrammed;
  }

  /** To be called when something changes that a status may depend on: the next reader counts again which sidecars have what. */
  readonly markChanged = (): void => {
    this.#notProgrammed = undefined;
  };

  /** To be called after a change: problems that appeared or vanished are logged soon, once each. */
  logSoon(): void {
    this.#problems = undefined;
    if (this.#soon) return;
    this.#soon = true;
    const delayMs = Math.max(settleMs, this.#gatherMs / gatherShare);
    setTimeout(() => {
      this.#soon = false;
      const startMs = performance.now();
      this.#logProblems();
      this.#gatherMs = performance.now() - startMs;
    }, delayMs).unref();
  }

  #logProblems(): void {
    const lines = new Map(this.#findProblems().map((problem) => [formatProblem(problem), problem]));
    for (const [problem, { severity }] of lines)
      if (!this.#logged.has(problem)) this.#log(severity === "error" ? "error" : "warn", "problem found", { problem });
    for (const problem of this.#logged) if (!lines.has(problem)) this.#log("info", "problem solved", { problem });
    this.#logged = new Set(lines.keys());
  }

  #findProblems(): readonly Problem[] {
    this.#problems ??= allProblems(this.#pipeline.index, [...this.#policies(), ...this.#routes()]);
    return this.#problems;
  }

  #policies(): readonly PolicyStatus[] {
    return this.#pipeline.policyStatuses(this.#acknowledgements);
  }

  #routes(): readonly RouteStatus[] {
    return this.#pipeline.routeStatuses(this.#acknowledgements);
  }

  readonly #acknowledgements: Acknowledgements = ({ kind, name }) => this.#others.merge(this.#hub.acksOf(kind, name));
}
