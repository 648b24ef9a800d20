/**
 * A Kubernetes object as every source hands it on: the parts that the mesh reads, and where they were written. It owns the
 * shape that all objects share; the content of a Service or a policy is for its reader.
 */

import type { FieldError, Result } from "../../model/result.ts";
import { err, ok } from "../../model/result.ts";

export interface KubeObject {
  /** One string, shared by everybody who keeps it. */
  readonly key: ObjectKey;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  /** Plain JSON values, not yet checked. */
  readonly spec: unknown;
  /** Plain JSON values, not yet checked. */
  readonly status: unknown;
  /** The names of fields besides the usual ones: a misspelt `spec` shows up here. */
  readonly otherFields: readonly string[];
  readonly origin: Origin;
}

export interface ObjectMeta {
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  /** Distinguishes an object from an earlier one of the same name; absent in folders. */
  readonly uid?: string;
  readonly generation?: number;
  /** RFC 3339, as written; absent in folders. */
  readonly creationTimestamp?: string;
  /** RFC 3339, as written; present: the object is being deleted. */
  readonly deletionTimestamp?: string;
}

/** Where an object was read: a place in a file, or its name in a cluster, which has no lines. */
export interface Origin {
  /** `deploy/demo/policies.yaml`, or `RetryPolicy shop/orders`. */
  readonly file: string;
  /** The line where the object begins, from 1. */
  readonly line?: number;
  /** The line of a field such as `spec.backends[1].weight`, or of the nearest field above it that exists. */
  lineOf(path: string): number | undefined;
}

/** Identifies an object, whatever its API version: `TrafficSplit.tulle.dev shop/catalog`. */
export type ObjectKey = string;

export function objectKey(object: Pick<KubeObject, "apiVersion" | "kind" | "metadata">): ObjectKey {
  const group = groupOf(object.apiVersion);
  const { namespace, name } = object.metadata;
  // A template literal would keep all its parts besides the whole, and there are hundreds of thousands of keys.
  return [group === "" ? object.kind : `${object.kind}.${group}`, " ", namespace, "/", name].join("");
}

/** The API group: `tulle.dev` of `tulle.dev/v1alpha1`, empty for the core group's `v1`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** Whether it is the core group's kind of this name. */
export function isKind({ apiVersion, kind }: KubeObject, wanted: string): boolean {
  return apiVersion === "v1" && kind === wanted;
}

const knownFields = new Set(["apiVersion", "kind", "metadata", "spec", "status"]);
const clusterScoped = new Set(["Namespace"]);
/** Wider than DNS names, because RBAC names hold colons, but without the characters that separate names. */
const namePattern = /^[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$/;
/** RFC 1123: the names of namespaces and Services. They hold no dot, so that names joined by dots stay distinct. */
const dnsLabelPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function isDnsLabel(text: string): boolean {
  return dnsLabelPattern.test(text);
}

/** Splits an object into its parts. `value` holds plain JSON values; an absent namespace means `default`. */
export function readObject(value: unknown, origin: Origin): Result<KubeObject, FieldError[]> {
  const errors: FieldError[] = [];
  if (!isRecord(value)) return err([{ path: "", message: `must be a Kubernetes object, got ${describe(value)}` }]);
  const apiVersion = requiredString(value, "apiVersion", "", errors);
  const kind = requiredString(value, "kind", "", errors);
  const metadata = readMeta(value["metadata"], kind, errors);
  if (errors.length > 0) return err(errors);
  return ok({
    key: objectKey({ apiVersion, kind, metadata }),
    apiVersion,
    kind,
    metadata,
    spec: kind === "EndpointSlice" ? sliceSpecOf(value) : value["spec"],
    status: value["status"],
    otherFields: Object.keys(value).filter((field) => !knownFields.has(field)),
    origin,
  });
}

/** An EndpointSlice has no `spec`: its fields are next to its metadata. */
function sliceSpecOf({ addressType, endpoints, ports }: Record<string, unknown>): unknown {
  return { addressType, endpoints, ports };
}

function readMeta(value: unknown, kind: string, errors: FieldError[]): ObjectMeta {
  const meta = isRecord(value) ? value : {};
  if (!isRecord(value)) errors.push({ path: "metadata", message: `must be a mapping, got ${describe(value)}` });
  const name = isRecord(value) ? requiredName(meta, "name", errors) : "";
  const namespace = clusterScoped.has(kind)
    ? ""
    : requiredName({ namespace: meta["namespace"] ?? "default" }, "namespace", errors);
  if (errors.length === 0 && namespace !== "" && !isDnsLabel(namespace))
    errors.push({ path: "metadata.namespace", message: `must be a DNS label, got ${describe(namespace)}` });
  const uid = meta["uid"];
  const generation = meta["generation"];
  const creationTimestamp = meta["creationTimestamp"];
  const deletionTimestamp = meta["deletionTimestamp"];
  return {
    namespace,
    name,
    labels: stringMap(meta["labels"], "metadata.labels", errors),
    annotations: stringMap(meta["annotations"], "metadata.annotations", errors),
    ...(typeof uid === "string" ? { uid } : {}),
    ...(typeof generation === "number" ? { generation } : {}),
    ...(typeof creationTimestamp === "string" ? { creationTimestamp } : {}),
    ...(typeof deletionTimestamp === "string" ? { deletionTimestamp } : {}),
  };
}

function requiredString(value: Record<string, unknown>, field: string, parent: string, errors: FieldError[]): string {
  const found = value[field];
  if (typeof found === "string" && found !== "") return found;
  errors.push({ path: `${parent}${field}`, message: `must be a non-empty string, got ${describe(found)}` });
  return "";
}

function requiredName(meta: Record<string, unknown>, field: string, errors: FieldError[]): string {
  const before = errors.length;
  const name = requiredString(meta, field, "metadata.", errors);
  if (errors.length === before && !namePattern.test(name))
    errors.push({ path: `metadata.${field}`, message: `must be a Kubernetes name, got ${describe(name)}` });
  return name;
}

/** Shared by all: most pods of a cluster have nothing here that is kept. */
const noStrings: ReadonlyMap<string, string> = new Map();

/** A mapping of strings to strings, such as labels. Absent: empty. */
export function stringMap(value: unknown, path: string, errors: FieldError[]): ReadonlyMap<string, string> {
  if (value === undefined || value === null) return noStrings;
  if (!isRecord(value)) {
    errors.push({ path, message: `must be a mapping of strings, got ${describe(value)}` });
    return noStrings;
  }
  const map = new Map<string, string>();
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry === "string") map.set(key, entry);
    else errors.push({ path: fieldPath(path, key), message: `must be a string, got ${describe(entry)}; quote it` });
  }
  return map;
}

const plainKey = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** `parent.key`, or `parent["a.b/c"]` where the key would be read as more than one. */
export function fieldPath(parent: string, key: string): string {
  if (!plainKey.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === "" ? key : `${parent}.${key}`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as shown in a message: short, and never a whole subtree. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (isRecord(value)) return "a mapping";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
