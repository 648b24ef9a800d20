/** Decodes a route's faults into the model, with checks. */

import type { FaultAbort, FaultPolicy } from "../model/policy.ts";
import { decodeRouteMatch } from "./decode-match.ts";
import type { Faults } from "./faults.ts";
import type { FaultAbort__Output } from "./generated/tulle/v1/FaultAbort.ts";
import type { FaultPolicy__Output } from "./generated/tulle/v1/FaultPolicy.ts";

export function decodeFault(at: string, message: FaultPolicy__Output, faults: Faults): FaultPolicy {
  const { delay, abort } = message;
  return {
    untilUnixMs: faults.integer(`${at}.untilUnixMs`, message.untilUnixMs, 0),
    matches: message.matches.map((match, i) => decodeRouteMatch(`${at}.matches[${i}]`, match, faults)),
    ...(delay && {
      delay: {
        delayMs: faults.integer(`${at}.delay.delayMs`, delay.delayMs, 0),
        percent: faults.number(`${at}.delay.percent`, delay.percent, 0, 100),
      },
    }),
    ...(abort && { abort: decodeAbort(`${at}.abort`, abort, faults) }),
  };
}

function decodeAbort(at: string, message: FaultAbort__Output, faults: Faults): FaultAbort & { percent: number } {
  const percent = faults.number(`${at}.percent`, message.percent, 0, 100);
  if (message.http !== undefined) {
    return { kind: "http", status: faults.integer(`${at}.http`, message.http, 400, 599), percent };
  }
  if (message.grpc === undefined) faults.add(at, "must be an HTTP or a gRPC status");
  return { kind: "grpc", status: faults.integer(`${at}.grpc`, message.grpc ?? 1, 1, 16), percent };
}
