import type { ResourceKind } from "../../model/resources.ts";

/** Kind and name as one map key: kinds contain no space. */
export type ResourceKey = `${ResourceKind} ${string}`;

export function resourceKey(kind: ResourceKind, name: string): ResourceKey {
  return `${kind} ${name}`;
}

export function splitKey(key: ResourceKey): [kind: ResourceKind, name: string] {
  const space = key.indexOf(" ");
  return [key.slice(0, space) as ResourceKind, key.slice(space + 1)];
}
