/**
 * FaultInjection: failures made on purpose, for a time.
 *
 * ```yaml
 * spec:
 *   targetRefs: [{kind: Service, name: catalog}]
 *   until: "2027-01-31T18:00:00Z"
 *   delay: {duration: 2s, percent: 10}
 *   abort: {status: 503, percent: 1}       # or {grpcStatus: UNAVAILABLE, percent: 1}
 * ```
 */

import type { FaultAbort, FaultPolicy } from "../policy.ts";
import { requestMatches } from "./match.ts";
import { duration, integer, number } from "./scalars.ts";
import { given, object, oneOf, Schema, show } from "./schema.ts";
import { type Attached, targetRefs } from "./targets.ts";

/** gRPC's status codes in order, from 1 (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
const grpcNames = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

const percent = number({ min: 0, max: 100 }).describe("The share of requests.").or(100);

/** RFC 3339, as the API server writes times; read as ms since 1970. */
const time = new Schema<number>({ type: "string", format: "date-time" }, (value, at) => {
  const wellFormed =
    typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value);
  const unixMs = wellFormed ? Date.parse(value) : Number.NaN;
  return Number.isNaN(unixMs) ? at.fail(`must be a time such as 2027-01-31T18:00:00Z, got ${show(value)}`) : unixMs;
});

const abort = object({
  status: integer({ min: 400, max: 599 }).describe("Answer with this HTTP status.").optional(),
  grpcStatus: oneOf(grpcNames).describe("Answer with this gRPC status.").optional(),
  percent,
})
  .check({
    cel: "has(self.status) != has(self.grpcStatus)",
    says: "either status or grpcStatus",
    field: "status",
    find: ({ status, grpcStatus }) =>
      (status === undefined) === (grpcStatus === undefined) ? "either this or grpcStatus is required" : undefined,
  })
  .map(({ status, grpcStatus = "UNKNOWN", percent }): FaultAbort & { percent: number } =>
    status === undefined
      ? { kind: "grpc", status: grpcNames.indexOf(grpcStatus) + 1, percent }
      : { kind: "http", status, percent },
  );

const delay = object({
  duration: duration({ min: 1, max: 3_600_000 }).describe("How long a request waits before it is sent, such as 250ms."),
  percent,
}).map((fields) => ({ delayMs: fields.duration, percent: fields.percent }));

export const faultInjectionSpec: Schema<Attached<FaultPolicy>> = object({
  targetRefs: targetRefs(["Service", "HTTPRoute", "GRPCRoute"]),
  until: time.describe("When it ends, such as 2027-01-31T18:00:00Z. It ends by itself."),
  match: requestMatches,
  delay: delay.describe("Makes requests wait.").optional(),
  abort: abort.describe("Answers instead of the Service.").optional(),
})
  .check({
    cel: "has(self.delay) || has(self.abort)",
    says: "delay or abort or both",
    field: "abort",
    find: ({ delay, abort }) => ((delay ?? abort) === undefined ? "this or delay or both are required" : undefined),
  })
  .map(({ targetRefs: targets, until, match, delay, abort }) => ({
    targets,
    spec: { untilUnixMs: until, matches: match, ...given({ delay, abort }) },
  }));
