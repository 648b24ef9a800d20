/** Which requests a stack logs: as TelemetryPolicies say, else as the sidecar is set. */

import type { AccessLog } from "../../model/policy.ts";
import type { Destination, Inbound } from "../../model/resources.ts";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import type { Exchange } from "../net/exchange.ts";

export interface LoggedRequests {
  /** The largest share that applies to any request of the stack; 0: no line is written. */
  readonly atMost: () => number;
  /** The setting for a request that has ended: only then is its route, or its port, certain. */
  readonly of: (exchange: Exchange) => AccessLog;
}

const all: AccessLog = { requests: "all", ratio: 1 };

/** Reads `TULLE_ACCESS_LOG`: `off` (default), `errors`, `all`, or the share of requests to log, 0 to 1. */
export function parseAccessLog(text: string | undefined): Result<AccessLog, FieldError> {
  if (text === undefined || text === "" || text === "off") return ok({ requests: "none", ratio: 1 });
  if (text === "errors") return ok({ requests: "errors", ratio: 1 });
  if (text === "all") return ok(all);
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ok({ requests: "all", ratio });
  return err({
    path: "TULLE_ACCESS_LOG",
    message: `must be off, errors, all or a number from 0 to 1, got ${text}`,
  });
}

export function shareOf({ requests, ratio }: AccessLog): number {
  return requests === "none" ? 0 : ratio;
}

/** For stacks where no policy can say otherwise. */
export function loggedEverywhere(own: AccessLog): LoggedRequests {
  const most = shareOf(own);
  return { atMost: () => most, of: () => own };
}

/** The route's setting, else its destination's. */
export function loggedByRoute(own: AccessLog, destination: Destination): LoggedRequests {
  const { routes, accessLog = own } = destination;
  const ofRoutes = new Map(routes.flatMap((route) => (route.accessLog ? [[route.name, route.accessLog]] : [])));
  const most = largestShare([accessLog, ...ofRoutes.values()]);
  return { atMost: () => most, of: ({ route }) => ofRoutes.get(route ?? "") ?? accessLog };
}

/**
 * The setting of the requested port. A request that was refused before its port was known is logged like one to any other port.
 */
export function loggedByPort(own: AccessLog, inbound: () => Inbound | undefined): LoggedRequests {
  let known: Inbound | undefined;
  let most = shareOf(own);
  return {
    atMost() {
      const current = inbound();
      if (current !== known) {
        known = current;
        most = largestShare(policiesIn(current).map(({ accessLog = own }) => accessLog));
      }
      return most;
    },
    of: ({ target }) => (target ?? inbound()?.elsewhere)?.accessLog ?? own,
  };
}

function policiesIn(inbound: Inbound | undefined): readonly { readonly accessLog?: AccessLog }[] {
  const { ports = [], unlisted = [], elsewhere = {} } = inbound ?? {};
  return [...ports, ...unlisted, elsewhere];
}

function largestShare(accessLogs: readonly AccessLog[]): number {
  return Math.max(...accessLogs.map(shareOf));
}
