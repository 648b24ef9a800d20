/** Blocks this process, as if it got no processor: nothing in it runs for this long. */
export function holdUp(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
