/** When the control plane renews a certificate of its own. */

/** The share of its lifetime after which a leaf is renewed. */
const renewAt = 0.7;
const longestTimerMs = 60 * 60 * 1000;

/** Calls `rotate` with what `issue` gives whenever the former has lived for 70 % of its time, until `signal`. */
export function renewInTime<T extends { readonly notAfterMs: number }>(
  issue: () => T,
  wallClock: () => number,
  first: { readonly notAfterMs: number },
  signal: AbortSignal,
  rotate: (certificate: T) => void,
): void {
  let renewAtMs = wallClock() + (first.notAfterMs - wallClock()) * renewAt;
  let timer: NodeJS.Timeout;
  // In steps, since a machine that slept wakes up with its timers late.
  const wait = (): void => {
    timer = setTimeout(check, Math.min(Math.max(renewAtMs - wallClock(), 0), longestTimerMs)).unref();
  };
  const check = (): void => {
    if (wallClock() >= renewAtMs) {
      const next = issue();
      renewAtMs = wallClock() + (next.notAfterMs - wallClock()) * renewAt;
      rotate(next);
    }
    wait();
  };
  wait();
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
}
