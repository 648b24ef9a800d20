/** RFC 6902, as far as an admission answer needs it: the operations that turn one JSON value into another. */

import type { JsonPatchOperation } from "../admission/review.ts";

/** Lists of different lengths are replaced as a whole. Equal values give no operation. */
export function jsonPatch(before: unknown, after: unknown, path = ""): JsonPatchOperation[] {
  if (Object.is(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.length !== after.length) return [{ op: "replace", path, value: after }];
    return after.flatMap((value: unknown, index) => jsonPatch(before[index], value, `${path}/${index}`));
  }
  if (!isObject(before) || !isObject(after)) return [{ op: "replace", path, value: after }];
  const operations: JsonPatchOperation[] = [];
  for (const [key, value] of Object.entries(after)) {
    const at = `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (value === undefined) continue;
    const former = own(before, key);
    if (former === undefined) operations.push({ op: "add", path: at, value });
    else operations.push(...jsonPatch(former, value, at));
  }
  for (const key of Object.keys(before)) {
    if (before[key] === undefined || own(after, key) !== undefined) continue;
    operations.push({ op: "remove", path: `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}` });
  }
  return operations;
}

/** Ignores properties that every object inherits: a label may be called `toString`. */
function own(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
