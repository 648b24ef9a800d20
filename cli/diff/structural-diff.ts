/** Where two pieces of plain data differ, down to the smallest part. */

export interface Change {
  /** `routes[0].backends[1].weight`. */
  readonly path: string;
  /** Absent: it did not exist before. */
  readonly before?: unknown;
  /** Absent: it no longer exists. */
  readonly after?: unknown;
}

/**
 * List items with a `name`, an `address` or `endpoints` are paired by that, so that inserting one at the front is a single
 * change; other items are paired by position.
 */
export function changesBetween(before: unknown, after: unknown, path = ""): Change[] {
  if (Array.isArray(before) && Array.isArray(after)) return listChanges(before, after, path);
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) =>
      fieldChanges(own(before, name), own(after, name), path === "" ? name : `${path}.${name}`),
    );
  }
  return Object.is(before, after) ? [] : [{ path, before, after }];
}

function fieldChanges(before: unknown, after: unknown, path: string): Change[] {
  if (before === undefined) return after === undefined ? [] : [{ path, after }];
  if (after === undefined) return [{ path, before }];
  return changesBetween(before, after, path);
}

function listChanges(before: readonly unknown[], after: readonly unknown[], path: string): Change[] {
  const old = itemsByKey(before);
  const now = itemsByKey(after);
  const keys = [...new Set([...now.keys(), ...old.keys()])];
  return [
    ...orderChange(
      [...old.keys()].filter((key) => now.has(key)),
      [...now.keys()].filter((key) => old.has(key)),
      path,
    ),
    ...keys.flatMap((key) => fieldChanges(old.get(key), now.get(key), `${path}[${key}]`)),
  ];
}

/** Compares the order of items that are on both sides: among routes the first match wins. */
function orderChange(before: readonly string[], after: readonly string[], path: string): Change[] {
  return before.every((key, index) => key === after[index]) ? [] : [{ path: `${path} (order)`, before, after }];
}

/** Items that share a key are distinguished by number. */
function itemsByKey(items: readonly unknown[]): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [index, item] of items.entries()) {
    const name = nameOf(item) ?? `${index}`;
    let key = name;
    for (let number = 2; found.has(key); number++) key = `${name} #${number}`;
    found.set(key, item);
  }
  return found;
}

const namingFields = ["name", "address", "endpoints", "namespace"] as const;

function nameOf(item: unknown): string | undefined {
  if (!isRecord(item)) return undefined;
  for (const field of namingFields) if (typeof item[field] === "string") return item[field];
  return typeof item["port"] === "number" ? `${item["port"]}` : undefined;
}

/** Ignores properties that every object inherits. */
function own(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
