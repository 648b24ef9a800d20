/** Warns about what is legal, but probably not what its author wanted. */

import { formatDuration } from "../duration.ts";
import { normalizePath } from "../path.ts";
import type { AccessPolicy, SplitBackend, TimeoutPolicy, TrafficSplit } from "../policy.ts";
import type { Policy } from "../policy-object.ts";
import type { PathMatch } from "../resources.ts";
import type { FieldError } from "../result.ts";
import { show } from "./schema.ts";

/** Warnings about a policy that was read without an error. */
export function policyWarnings(policy: Policy): FieldError[] {
  switch (policy.kind) {
    case "RetryPolicy":
      if (!policy.spec.retryNonIdempotent) return [];
      return [
        {
          path: "spec.retryNonIdempotent",
          message: "POST and PATCH may be processed twice; an IdempotencyPolicy on the target would prevent that",
        },
      ];
    case "TimeoutPolicy":
      return timeoutWarnings(policy.spec);
    case "TrafficSplit":
      return splitWarnings(policy.spec);
    case "AccessPolicy":
      return accessWarnings(policy.spec);
    case "CircuitBreaker":
    case "FaultInjection":
    case "IdempotencyPolicy":
    case "RateLimit":
    case "TelemetryPolicy":
      return [];
  }
}

function accessWarnings({ access }: AccessPolicy): FieldError[] {
  if (access === undefined) return [];
  if (access.rules.length === 0) {
    const message = access.action === "allow" ? "admits nobody" : "denies nobody";
    return [{ path: "spec.rules", message: `without a rule this policy ${message}` }];
  }
  return access.rules.flatMap(({ paths }, rule) =>
    paths.flatMap((match, index) => {
      const message = pathWarning(match);
      return message === undefined ? [] : [{ path: `spec.rules[${rule}].paths[${index}].value`, message }];
    }),
  );
}

/** Requests are matched by their normalized path, and a request without one is refused before any rule is applied. */
function pathWarning({ kind, value }: PathMatch): string | undefined {
  if (kind === "regex") return undefined;
  const { path, ambiguous } = normalizePath(value);
  if (path !== value) return `is read as ${show(path)}, its normal form`;
  return ambiguous
    ? "matches nothing: no path that is served has such characters, and a query is no part of it"
    : undefined;
}

function timeoutWarnings({ requestMs, perTryMs }: TimeoutPolicy): FieldError[] {
  if (requestMs === undefined || perTryMs === undefined || perTryMs <= requestMs) return [];
  const message = `${formatDuration(perTryMs)} is never reached: request ends all tries after ${formatDuration(requestMs)}`;
  return [{ path: "spec.perTry", message }];
}

function splitWarnings(split: TrafficSplit): FieldError[] {
  const lists: (readonly [path: string, backends: readonly SplitBackend[]])[] = [
    ...split.match.map(({ backends }, index) => [`spec.match[${index}].backends`, backends] as const),
    ["spec.backends", split.backends],
  ];
  return lists
    .filter(([, backends]) => backends.every(({ weight }) => weight === 0))
    .map(([path]) => ({ path, message: "all weights are 0: every request is answered with 503" }));
}
