/**
 * Reduces an object from the API server to what is read of it, before it is kept: a pod's full text takes kilobytes, and a
 * cluster has thousands of pods. Pure.
 */

import { initName, injectLabel, proxyVersionAnnotation, sidecarName } from "../../injection/marks.ts";
import { isRecord } from "../kube-object.ts";

type Fields = Readonly<Record<string, unknown>>;

/** On pods that their node creates from a file. */
const mirrorAnnotation = "kubernetes.io/config.mirror";
const ownPrefix = "tulle.dev/";

/** A copy with only what the mesh reads. Statuses of policies and routes are left out: the control plane writes them itself. */
export function strip(kind: string, object: Fields): Fields {
  const { metadata, spec, status, ...rest } = object;
  switch (kind) {
    case "Pod":
      return { ...rest, kind, ...stripPod(record(metadata), record(spec), record(status)) };
    case "EndpointSlice":
      return {
        ...rest,
        kind,
        metadata: stripMeta(record(metadata), true),
        endpoints: stripEndpoints(rest["endpoints"]),
      };
    case "Namespace":
      return { ...rest, kind, metadata: stripMeta(record(metadata), true) };
    case "Service":
      return { ...rest, kind, metadata: stripMeta(record(metadata), false), spec };
    default:
      // All other fields stay, so that a field which its author misspelt is found.
      return { ...rest, kind, metadata: stripMeta(record(metadata), false), spec };
  }
}

function stripMeta(meta: Fields, withLabels: boolean): Fields {
  const { namespace, name, uid, generation, creationTimestamp, deletionTimestamp, labels, annotations } = meta;
  const own = Object.entries(record(annotations)).filter(([key]) => key.startsWith(ownPrefix));
  return {
    namespace,
    name,
    uid,
    generation,
    creationTimestamp,
    deletionTimestamp,
    ...(withLabels && { labels }),
    ...(own.length > 0 && { annotations: Object.fromEntries(own) }),
  };
}

function stripPod(meta: Fields, spec: Fields, status: Fields): Fields {
  const { phase, podIP, podIPs, conditions } = status;
  if (!hasSidecar(meta, spec)) return { metadata: stripUnmeshed(meta), status: { phase } };
  const { serviceAccountName, nodeName, containers, initContainers } = spec;
  return {
    metadata: stripMeta(meta, true),
    spec: {
      serviceAccountName,
      nodeName,
      containers: list(containers).map(stripContainer),
      initContainers: list(initContainers).filter(isRead).map(stripContainer),
    },
    status: {
      phase,
      podIP,
      ...(list(podIPs).length > 1 && { podIPs: list(podIPs).map(({ ip }) => ({ ip })) }),
      conditions: list(conditions)
        .filter(({ type }) => type === "Ready")
        .map(stripCondition),
    },
  };
}

/** Its address is in EndpointSlices; only its existence, and whether it should have a sidecar, matter here. */
function stripUnmeshed({ namespace, name, uid, labels, annotations }: Fields): Fields {
  const wish = record(labels)[injectLabel];
  return {
    namespace,
    name,
    uid,
    ...(wish !== undefined && { labels: { [injectLabel]: wish } }),
    ...(Object.hasOwn(record(annotations), mirrorAnnotation) && { annotations: { [mirrorAnnotation]: "" } }),
  };
}

/** Whether this pod of the API server has a sidecar. */
export function isMeshedPod({ metadata, spec }: Fields): boolean {
  return hasSidecar(record(metadata), record(spec));
}

function hasSidecar(meta: Fields, spec: Fields): boolean {
  const isSidecar = ({ name }: Fields): boolean => name === sidecarName;
  return (
    Object.hasOwn(record(meta["annotations"]), proxyVersionAnnotation) &&
    (list(spec["initContainers"]).some(isSidecar) || list(spec["containers"]).some(isSidecar))
  );
}

/** Other native sidecars have ports like any container; for the mesh's own containers it matters only that they are there. */
function isRead({ name, restartPolicy }: Fields): boolean {
  return restartPolicy === "Always" || name === initName;
}

function stripContainer({ name, restartPolicy, ports }: Fields): Fields {
  return name === initName || name === sidecarName ? { name } : { name, restartPolicy, ports };
}

function stripCondition({ type, status }: Fields): Fields {
  return { type, status };
}

function stripEndpoints(value: unknown): Fields[] {
  return list(value).map(({ addresses, conditions, hints, hostname, nodeName, targetRef, zone }) => {
    const { kind, name, uid } = record(targetRef);
    return {
      addresses,
      conditions,
      hints,
      nodeName,
      zone,
      ...(hostname !== undefined && { hostname }),
      ...(targetRef !== undefined && { targetRef: { kind, name, uid } }),
    };
  });
}

function record(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(record) : [];
}
