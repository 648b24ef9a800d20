/** Reads what the API server sends: plain JSON values of which only the kind is certain. */

import { isRecord } from "../../control-plane/source/kube-object.ts";

export type Fields = Readonly<Record<string, unknown>>;

export interface Meta {
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export function readMeta(object: Fields): Meta {
  return {
    namespace: textAt(object, "metadata", "namespace") ?? "",
    name: textAt(object, "metadata", "name") ?? "",
    labels: textsAt(object, "metadata", "labels"),
    annotations: textsAt(object, "metadata", "annotations"),
  };
}

/** `namespace/name`, or just the name. */
export function nameOf(object: Fields): string {
  const { namespace, name } = readMeta(object);
  return namespace === "" ? name : `${namespace}/${name}`;
}

export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const field of path) found = isRecord(found) && Object.hasOwn(found, field) ? found[field] : undefined;
  return found;
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === "string" ? found : undefined;
}

export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === "number" ? found : undefined;
}

/** The objects of a list; anything else in it is left out. */
export function listAt(value: unknown, ...path: readonly string[]): readonly Fields[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found.filter(isRecord) : [];
}

/** A mapping of strings, such as labels. */
export function textsAt(value: unknown, ...path: readonly string[]): Readonly<Record<string, string>> {
  const found = at(value, ...path);
  const entries = isRecord(found) ? Object.entries(found) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** The strings of a list. */
export function wordsAt(value: unknown, ...path: readonly string[]): readonly string[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found.filter((word): word is string => typeof word === "string") : [];
}
