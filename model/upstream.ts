/** Listeners that an application asks for, by the annotation `tulle.dev/upstreams`. */

import { isLoopback, splitAddress } from "./address.ts";
import { err, ok, type Result } from "./result.ts";

/** A listener for one destination: `payments:80=127.0.0.1:9001`. */
export interface Upstream {
  readonly host: string;
  readonly port: number;
  readonly listenHost: string;
  readonly listenPort: number;
}

/**
 * `payments:80=127.0.0.1:9001,orders:80=127.0.0.1:9002`; an empty text has none.
 * A listener that others could dial would be a proxy with this pod's identity.
 */
export function parseUpstreams(text: string): Result<Upstream[], string> {
  const upstreams: Upstream[] = [];
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const [destination = "", listener = "", ...rest] = entry.split("=");
    const to = splitAddress(destination);
    const at = splitAddress(listener);
    const isComplete = to.host !== "" && to.port !== undefined && at.port !== undefined && rest.length === 0;
    if (!isComplete || !isLoopback(at.host))
      return err(`must be DESTINATION:PORT=LOOPBACK_ADDRESS:PORT, separated by commas: ${entry} is not`);
    if (upstreams.some(({ listenHost, listenPort }) => listenHost === at.host && listenPort === at.port))
      return err(`must have a listener of its own for each destination: ${entry} has another's`);
    upstreams.push({ host: to.host, port: to.port, listenHost: at.host, listenPort: at.port });
  }
  return ok(upstreams);
}
