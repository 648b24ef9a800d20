/**
 * Pods of one workload to which different policies apply: their labels tell them apart, like a database's primary and its
 * replicas, or they share nothing but the name, like a Deployment and a CronJob of the same name. A policy applies to the
 * pods that it selects, and another pod's labels can't take it away from them.
 */

import { isDeepStrictEqual } from "node:util";
import type { Inbound } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import type { Workload } from "../index/pod.ts";
import { servicesSelecting } from "../index/selecting.ts";
import type { PodInbound } from "../snapshot.ts";
import { compareStrings } from "../source/problem.ts";
import { identityOf } from "./endpoints.ts";
import { compileInbound } from "./inbound.ts";
import type { MeshNames } from "./names.ts";
import { askedLabels } from "./server-policies.ts";

/** Returns the Inbounds, by the pods' names, that differ from `usual`, which all other pods of the workload get. */
export function compileApart(
  view: IndexView,
  workload: Workload,
  usual: PodInbound,
  names: MeshNames,
): ReadonlyMap<string, PodInbound> {
  const apart = new Map<string, PodInbound>();
  const looks = new Looks(view, workload.namespace);
  // Replicas that look alike, as most do, are compiled only once.
  const compiled = new Map([[looks.of(workload), usual.value]]);
  for (const pod of view.replicasOf(workload.namespace, workload.name)) {
    const look = looks.of(pod);
    const value = compiled.get(look) ?? equalOr(usual.value, compileInbound(view, workload.name, pod));
    compiled.set(look, value);
    const identity = identityOf(pod, names);
    if (identity !== usual.identity || value !== usual.value) apart.set(pod.name, { value, identity });
  }
  return apart;
}

function equalOr(usual: Inbound, value: Inbound): Inbound {
  return isDeepStrictEqual(value, usual) ? usual : value;
}

/**
 * Everything about a pod that its Inbound depends on. Of its labels, that is which Services they match, and those that a policy
 * asks for: a StatefulSet numbers its pods with labels, and usually that makes no difference to anybody.
 */
class Looks {
  readonly #view: IndexView;
  readonly #namespace: string;
  /** The labels that matter, by the names of the Services that select a pod. */
  readonly #asked = new Map<string, ReadonlySet<string>>();

  constructor(view: IndexView, namespace: string) {
    this.#view = view;
    this.#namespace = namespace;
  }

  of({ labels, ports, opaquePorts }: Pick<Workload, "labels" | "ports" | "opaquePorts">): string {
    const services = servicesSelecting(this.#view.servicesIn(this.#namespace), labels);
    const selecting = services.map(({ name }) => name).join(" ");
    const asked = this.#asked.get(selecting) ?? askedLabels(this.#view, this.#namespace, services);
    this.#asked.set(selecting, asked);
    const seen = Array.from(labels, (label) => label.join("=")).filter((label) => asked.has(label));
    return JSON.stringify([selecting, seen.sort(compareStrings), ports, opaquePorts]);
  }
}
