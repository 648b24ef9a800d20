/** Positions the nodes of a call graph: callers to the left of what they call, as far as cycles allow. Pure. */

export interface Arrow {
  readonly from: string;
  readonly to: string;
}

/** Columns from left to right, each sorted by name. */
export function layersOf(arrows: readonly Arrow[]): readonly (readonly string[])[] {
  const callers = new Map<string, Set<string>>();
  for (const { from, to } of arrows) {
    if (!callers.has(from)) callers.set(from, new Set());
    const known = callers.get(to) ?? new Set();
    if (from !== to) known.add(from);
    callers.set(to, known);
  }
  const columnOf = new Map<string, number>();
  const left = new Set([...callers.keys()].sort());
  for (let column = 0; left.size > 0; column++) {
    const ready = [...left].filter((name) => [...(callers.get(name) ?? [])].every((caller) => !left.has(caller)));
    // A cycle: the first by name breaks it.
    const placed = ready.length > 0 ? ready : [...left].slice(0, 1);
    for (const name of placed) columnOf.set(name, column);
    for (const name of placed) left.delete(name);
  }
  const columns: string[][] = [];
  for (const [name, column] of [...columnOf].sort(([a], [b]) => (a < b ? -1 : 1))) (columns[column] ??= []).push(name);
  return columns;
}
