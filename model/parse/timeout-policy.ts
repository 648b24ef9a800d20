/** TimeoutPolicy: how long things may take. */

import { defaultTimeoutPolicy } from "../defaults.ts";
import type { TimeoutPolicy } from "../policy.ts";
import { limit } from "./scalars.ts";
import { given, object, type Schema } from "./schema.ts";
import { type Attached, targetRefs } from "./targets.ts";

const dayMs = 24 * 3_600_000;

export const timeoutPolicySpec: Schema<Attached<TimeoutPolicy>> = object({
  targetRefs: targetRefs(["Service", "HTTPRoute", "GRPCRoute"]),
  request: limit({ min: 1, max: dayMs })
    .describe("From request head to last response byte, all tries together. 0s: no limit.")
    .or(defaultTimeoutPolicy.requestMs),
  perTry: limit({ min: 1, max: dayMs }).describe("The same for one try. 0s: no limit.").optional(),
  idle: limit({ min: 1, max: dayMs })
    .describe("The time without a byte in either direction. 0s: no limit.")
    .or(defaultTimeoutPolicy.idleMs),
  connect: limit({ min: 1, max: 60_000 })
    .describe("The time to open a connection. 0s: no limit.")
    .or(defaultTimeoutPolicy.connectMs),
}).map(({ targetRefs: targets, request, perTry, idle, connect }) => ({
  targets,
  spec: given({ requestMs: request, perTryMs: perTry, idleMs: idle, connectMs: connect }),
}));
