/** Turns Ctrl-C, SIGTERM, SIGHUP, or the loss of all readers into a request to stop: the first asks, a second one insists. */

export interface StopRequest {
  /** Aborted by the first request. */
  readonly signal: AbortSignal;
  /** Resolves with the first request. */
  readonly asked: Promise<void>;
  /** Sets what a second request calls; the process exits with 130 after it. */
  onSecond(kill: () => Promise<void>): void;
  /** Restores the signals' usual meaning. */
  forget(): void;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** A terminal sends Ctrl-C both to npm and to this process, and npm passes it on: a signal this soon is the same keystroke. */
const sameKeystrokeMs = 300;
const interrupted = 130;

export function onStopRequest(): StopRequest {
  const controller = new AbortController();
  const asked = Promise.withResolvers<void>();
  let kill: () => Promise<void> = () => Promise.resolve();
  let firstAtMs: number | undefined;
  const ask = () => {
    firstAtMs ??= performance.now();
    controller.abort(new Error("asked to stop"));
    asked.resolve();
  };
  const onSignal = () => {
    if (firstAtMs === undefined) ask();
    else if (performance.now() - firstAtMs > sameKeystrokeMs) void kill().finally(() => process.exit(interrupted));
  };
  for (const signal of signals) process.on(signal, onSignal);
  // As with `| head`: further output is lost, and that is no error.
  process.stdout.on("error", ask);
  return {
    signal: controller.signal,
    asked: asked.promise,
    onSecond: (action) => {
      kill = action;
    },
    forget: () => {
      for (const signal of signals) process.off(signal, onSignal);
      process.stdout.off("error", ask);
    },
  };
}
