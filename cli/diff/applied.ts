/**
 * What a cluster would contain after `kubectl apply` of some objects, as far as the control plane is concerned. It asks nobody:
 * the effects of webhooks or controllers are not predicted.
 */

import { Pipeline } from "../../control-plane/pipeline.ts";
import { groupOf, isRecord, type KubeObject, type ObjectMeta } from "../../control-plane/source/kube-object.ts";
import { watchedKinds } from "../../control-plane/source/kubernetes/watched-kinds.ts";
import type { Problem } from "../../control-plane/source/problem.ts";
import type { MeshDomains } from "../folder-pipeline.ts";

/** Kinds that controllers create, and nobody applies. */
const madeByControllers = new Set(["Pod", "EndpointSlice"]);
/** Fields that the API server assigns to a Service which does not set them. */
const assignedFields = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];
/** The API server's default for an HTTPRoute match without a path, and for a rule without matches. */
const anyPath = { path: { type: "PathPrefix", value: "/" } };
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

export interface Applied {
  readonly objects: readonly KubeObject[];
  /** Objects that by themselves change nothing for sidecars: Deployments, ConfigMaps. */
  readonly ignored: readonly KubeObject[];
}

/** Removes nothing: objects that are not among `applied` stay. `now` is the creation time of new objects, RFC 3339. */
export function applyTo(current: readonly KubeObject[], applied: readonly KubeObject[], now: string): Applied {
  const objects = new Map(current.map((object) => [object.key, object]));
  const ignored: KubeObject[] = [];
  for (const object of applied.map(withDefaults)) {
    const known = objects.get(object.key);
    if (!isFollowed(object)) ignored.push(object);
    else if (known === undefined) objects.set(object.key, withAge(object, now));
    else objects.set(object.key, replaced(known, object));
  }
  return { objects: [...objects.values()], ignored };
}

/**
 * The pipeline of a control plane that holds `current` and then receives `wanted`, the result of `applyTo`: an invalid object
 * leaves its previous version in force.
 */
export function pipelineAfter(
  current: readonly KubeObject[],
  wanted: readonly KubeObject[],
  problems: readonly Problem[],
  domains: MeshDomains,
): Pipeline {
  const pipeline = new Pipeline(domains);
  const known = new Set(current);
  pipeline.apply({ applied: current, removed: [], problems: [] });
  pipeline.apply({ applied: wanted.filter((object) => !known.has(object)), removed: [], problems });
  return pipeline;
}

function isFollowed({ apiVersion, kind }: KubeObject): boolean {
  const group = groupOf(apiVersion);
  return (
    !madeByControllers.has(kind) && watchedKinds.some((watched) => watched.group === group && watched.kind === kind)
  );
}

function withDefaults(object: KubeObject): KubeObject {
  const { apiVersion, kind, spec } = object;
  if (groupOf(apiVersion) !== "gateway.networking.k8s.io" || kind !== "HTTPRoute" || !isRecord(spec)) return object;
  return { ...object, spec: { ...spec, rules: mapList(spec["rules"] ?? [{}], withMatches) } };
}

function withMatches(rule: Readonly<Record<string, unknown>>): unknown {
  return { ...rule, matches: mapList(rule["matches"] ?? [{}], (match) => ({ ...anyPath, ...match })) };
}

/** A value that is not a list, or an item that is not a mapping, is left for the parser to refuse. */
function mapList(list: unknown, map: (item: Readonly<Record<string, unknown>>) => unknown): unknown {
  return Array.isArray(list) ? list.map((item: unknown) => (isRecord(item) ? map(item) : item)) : list;
}

function withAge(object: KubeObject, now: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, creationTimestamp: now } };
}

/** Keeps the object's identity and age, and what others have written on it. */
function replaced(known: KubeObject, object: KubeObject): KubeObject {
  const { labels, annotations } = object.metadata;
  const before = lastAppliedOf(known.metadata);
  const metadata = {
    ...known.metadata,
    labels: merged(known.metadata.labels, before["labels"], labels),
    annotations: merged(known.metadata.annotations, before["annotations"], annotations),
  };
  return {
    ...object,
    metadata,
    status: known.status,
    spec: object.kind === "Service" ? withAssigned(known, object) : object.spec,
  };
}

function withAssigned({ spec: known }: KubeObject, { spec }: KubeObject): unknown {
  if (!isRecord(known) || !isRecord(spec)) return spec;
  const assigned = assignedFields.flatMap((field) => (field in known ? [[field, known[field]] as const] : []));
  return { ...Object.fromEntries(assigned), ...spec };
}

/** Removes what was applied last time but is not any more. */
function merged(
  known: ReadonlyMap<string, string>,
  before: unknown,
  now: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const kept = [...known].filter(([name]) => !(isRecord(before) && Object.hasOwn(before, name)));
  return new Map([...kept, ...now]);
}

/** The metadata that `kubectl apply` recorded of the last applied object; empty: it was created otherwise. */
function lastAppliedOf({ annotations }: ObjectMeta): Readonly<Record<string, unknown>> {
  try {
    const applied: unknown = JSON.parse(annotations.get(lastApplied) ?? "{}");
    return isRecord(applied) && isRecord(applied["metadata"]) ? applied["metadata"] : {};
  } catch {
    return {}; // somebody else's annotation
  }
}
