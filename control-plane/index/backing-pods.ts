/**
 * Services, pods and workloads, and which pods are behind which. In a cluster, EndpointSlices and a pod's annotation say so;
 * for a Service without slices, and for workloads that exist as objects, labels decide, as in Kubernetes' own controllers. Each
 * change names the facts that it touched.
 */

import { compareStrings } from "../source/problem.ts";
import { Addresses, type AddressOwner } from "./addresses.ts";
import { Labelled, Selecting } from "./by-label.ts";
import { type EndpointSlice, podsOfSlices } from "./endpoint-slice.ts";
import { type Fact, facts } from "./facts.ts";
import type { Pod, Workload } from "./pod.ts";
import { Replicas } from "./replicas.ts";
import type { Service } from "./service.ts";
import { SharedTexts } from "./shared-texts.ts";
import { Slices } from "./slices.ts";
import { Table } from "./table.ts";

/** In order of precedence: if two kinds share a name, the first wins it. */
export const workloadKinds = ["Deployment", "StatefulSet", "DaemonSet"] as const;
export type WorkloadKind = (typeof workloadKinds)[number];

export class BackingPods {
  readonly #services = new Table<Service>();
  readonly #pods = new Table<Pod>();
  /** Pods with an opaque port. */
  readonly #opaquePods = new Table<Pod>();
  /** Pods with a sidecar and an address, but without a redirect to the sidecar. */
  readonly #podsWithoutRedirect = new Table<Pod>();
  readonly #servicesByLabel = new Selecting<Service>();
  readonly #podsByLabel = new Labelled<Pod>();
  readonly #workloadsByLabel = new Selecting<Workload>();
  readonly #addresses = new Addresses();
  readonly #slices = new Slices();
  readonly #replicas = new Replicas();
  readonly #texts = new SharedTexts();
  readonly #workloads: Readonly<Record<WorkloadKind, Table<Workload>>> = {
    Deployment: new Table(),
    StatefulSet: new Table(),
    DaemonSet: new Table(),
  };

  service(namespace: string, name: string): Service | undefined {
    return this.#services.get(namespace, name);
  }

  servicesIn(namespace: string): readonly Service[] {
    return this.#services.in(namespace);
  }

  podsOf(namespace: string, name: string): readonly Pod[] {
    const service = this.#services.get(namespace, name);
    if (service === undefined) return [];
    const slices = this.#slices.of(namespace, name);
    if (slices.length > 0) return podsOfSlices(slices, service.family, (pod) => this.#pods.get(namespace, pod));
    const pods = this.#podsByLabel.selectedBy(namespace, service.selector);
    return pods.sort((a, b) => compareStrings(a.name, b.name));
  }

  opaquePodsIn(namespace: string): readonly Pod[] {
    return this.#opaquePods.in(namespace);
  }

  podsWithoutRedirect(): readonly Pod[] {
    return this.#podsWithoutRedirect.all();
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.get(namespace, name);
  }

  addressOwner(ip: string): AddressOwner | undefined {
    return this.#addresses.ownerOf(ip);
  }

  workload(namespace: string, name: string): Workload | undefined {
    for (const kind of workloadKinds) {
      const workload = this.#workloads[kind].get(namespace, name);
      if (workload !== undefined) return workload;
    }
    const pod = this.#replicas.newest(namespace, name);
    if (pod === undefined || this.#isOwned(pod)) return undefined;
    const { labels, serviceAccount, ports, opaquePorts } = pod;
    const opaque = opaquePorts && { opaquePorts };
    return { namespace, name, selector: new Map(), labels, serviceAccount, ports, ...opaque, replicas: 1 };
  }

  replicasOf(namespace: string, name: string): readonly Pod[] {
    const hasObject = workloadKinds.some((kind) => this.#workloads[kind].get(namespace, name) !== undefined);
    return hasObject ? [] : this.#replicas.of(namespace, name);
  }

  readyPods(): readonly string[] {
    const ready = this.#pods.all().filter((pod) => pod.ready && !pod.terminating);
    return ready.map(({ namespace, name }) => `${namespace}/${name}`).sort(compareStrings);
  }

  /** Whether there is a ready pod with a sidecar whose `namespace/name` is not among these. */
  isAnyMeshedBeyond(names: ReadonlySet<string>): boolean {
    return this.#pods
      .all()
      .some(
        ({ namespace, name, meshed, ready, terminating }) =>
          meshed && ready && !terminating && !names.has(`${namespace}/${name}`),
      );
  }

  /** All workloads, sorted; a pod whose owner is not known counts as one. */
  workloads(): readonly Workload[] {
    const names = new Map<string, Workload>();
    const replicas = this.#pods.all().map(({ namespace, workload }) => ({ namespace, name: workload }));
    const candidates = [...workloadKinds.flatMap((kind) => this.#workloads[kind].all()), ...replicas];
    for (const { namespace, name } of candidates) {
      const workload = this.workload(namespace, name);
      if (workload !== undefined) names.set(`${namespace}/${name}`, workload);
    }
    return [...names].sort(([a], [b]) => compareStrings(a, b)).map(([, workload]) => workload);
  }

  toggleService(service: Service, present: boolean, touched: Set<Fact>): void {
    this.#services.toggle(service, present);
    this.#servicesByLabel.toggle(service, present);
    this.#addresses.toggle({ kind: "service", service }, service.clusterIps, present, touched);
    touched.add(facts.service(service.namespace, service.name));
    touched.add(facts.servicesIn(service.namespace));
    touched.add(facts.podsOf(service.namespace, service.name));
  }

  /** The same slice, but sharing in memory what others say too. */
  sharingSlice(slice: EndpointSlice): EndpointSlice {
    const endpoints = slice.endpoints.map(({ node, zone, ...endpoint }) => ({
      ...endpoint,
      ...(node === undefined ? {} : { node: this.#texts.of(node) }),
      ...(zone === undefined ? {} : { zone: this.#texts.of(zone) }),
    }));
    return { ...slice, endpoints };
  }

  /** See `Replicas.sharing`. */
  sharing(pod: Pod): Pod {
    return this.#replicas.sharing(pod);
  }

  togglePod(pod: Pod, present: boolean, touched: Set<Fact>): void {
    this.#pods.toggle(pod, present);
    this.#podsByLabel.toggle(pod, present);
    const addresses = pod.ip === undefined ? [] : [pod.ip, ...(pod.otherIps ?? [])];
    this.#addresses.toggle({ kind: "pod", pod }, addresses, present, touched);
    this.#replicas.toggle(pod, present);
    if (pod.opaquePorts !== undefined) {
      this.#opaquePods.toggle(pod, present);
      touched.add(facts.opaquePodsIn(pod.namespace));
    }
    if (pod.meshed && !pod.redirected && pod.ip !== undefined) this.#podsWithoutRedirect.toggle(pod, present);
    if (!this.#isOwned(pod)) touched.add(facts.workload(pod.namespace, pod.workload));
    for (const service of this.#slices.servicesOf(pod)) touched.add(facts.podsOf(pod.namespace, service));
    for (const service of this.#servicesByLabel.of(pod.namespace, pod.labels))
      touched.add(facts.podsOf(pod.namespace, service.name));
  }

  toggleWorkload(kind: WorkloadKind, workload: Workload, present: boolean, touched: Set<Fact>): void {
    this.#workloads[kind].toggle(workload, present);
    this.#workloadsByLabel.toggle({ ...workload, name: `${kind} ${workload.name}` }, present);
    touched.add(facts.workload(workload.namespace, workload.name));
    // A pod that gains an owner stops being a workload itself; one that loses its owner becomes one.
    for (const pod of this.#podsByLabel.selectedBy(workload.namespace, workload.selector))
      touched.add(facts.workload(pod.namespace, pod.workload));
  }

  toggleSlice(slice: EndpointSlice, present: boolean, touched: Set<Fact>): void {
    this.#slices.toggle(slice, present);
    touched.add(facts.podsOf(slice.namespace, slice.service));
  }

  /** Whether a workload creates this pod. */
  #isOwned(pod: Pod): boolean {
    return this.#workloadsByLabel.of(pod.namespace, pod.labels).length > 0;
  }
}
