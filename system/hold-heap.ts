/**
 * Holds the heap near what it needs: from now on no more than a fifth above what was alive at the last collection. V8 alone
 * lets it grow fourfold under load, and keeps it (docs/performance.md).
 *
 * As a flag on the command line this would make the start a fifth slower: Node's own modules come with compiled code, which V8
 * accepts only under the flags it was compiled with.
 */

const growingPercent = 20;

/** Call it when everything needed for the start is loaded. */
export async function holdHeap(): Promise<void> {
  const { setFlagsFromString } = await import("node:v8");
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
}
