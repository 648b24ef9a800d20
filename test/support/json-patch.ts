/** RFC 6902's `add`, `replace` and `remove`, as the API server applies them: a path that does not exist is refused. */

import type { JsonPatchOperation } from "../../control-plane/admission/review.ts";

export function applyPatch(value: unknown, patch: readonly JsonPatchOperation[]): unknown {
  const root = { value: structuredClone(value) };
  for (const operation of patch) {
    const keys = `/value${operation.path}`.split("/").slice(1).map(unescape);
    const last = keys.pop() ?? "";
    let parent: Record<string, unknown> = root;
    for (const key of keys) parent = childOf(parent, key);
    if (operation.op !== "add" && !(last in parent)) throw new Error(`${operation.op} ${operation.path}: not there`);
    if (operation.op === "remove") delete parent[last];
    else parent[last] = operation.value;
  }
  return root.value;
}

function childOf(parent: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> {
  const child = parent[key];
  if (typeof child !== "object" || child === null) throw new Error(`${key}: not there`);
  return child as Record<string, unknown>;
}

function unescape(key: string): string {
  return key.replaceAll("~1", "/").replaceAll("~0", "~");
}
