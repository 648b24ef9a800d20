/**
 * Holds the heap near what it needs: from now on no more than `growingPercent` above what was alive at the last collection.
 * V8 alone lets it grow fourfold under load, and keeps it (docs/performance.md).
 *
 * As a flag on the command line it would cost a fifth of the start: Node's own modules come with compiled code, which V8
 * takes only under the flags that it was compiled with.
 */

/** Call it when everything is loaded that a start needs. */
export async function holdHeap(growingPercent: number): Promise<void> {
  const { setFlagsFromString } = await import("node:v8");
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
}
