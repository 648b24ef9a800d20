/** Decides when the control plane renews a certificate of its own. */

/** The share of its lifetime after which a leaf is renewed. */
const renewAt = 0.7;
const longestTimerMs = 60 * 60 * 1000;

/** Calls `rotate` with the result of `issue` after 70 % of each certificate's lifetime, until `signal`. */
export function renewInTime<T extends { readonly notAfterMs: number }>(
  issue: () => T,
  wallClock: () => number,
  first: { readonly notAfterMs: number },
  signal: AbortSignal,
  rotate: (certificate: T) => void,
): void {
  let renewAtMs = wallClock() + (first.notAfterMs - wallClock()) * renewAt;
  let timer: NodeJS.Timeout;
  // Waits in steps, because the timers of a machine that slept fire late.
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
