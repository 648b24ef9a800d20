import { expect, it } from "vitest";
import { defaultCircuitBreakerPolicy } from "../../model/defaults.ts";
import type { ErrorCode } from "../../model/errors.ts";
import { failureOf } from "../../model/failure-of.ts";
import type { FailureKind } from "../../model/policy.ts";
import { grpcStatus } from "../../model/try-outcome.ts";

const { failures } = defaultCircuitBreakerPolicy;

function answer(status: number, grpc?: number) {
  const base = { kind: "answer", status, retriedBelow: false } as const;
  return grpc === undefined ? base : { ...base, grpcStatus: grpc };
}

it.each([500, 502, 503, 504, 599])("counts %d", (status) => {
  expect(failureOf(answer(status), failures)).toBe("5xx");
});

it.each([200, 302, 400, 404, 421, 429, 499])("does not count %d", (status) => {
  expect(failureOf(answer(status), failures)).toBeUndefined();
});

it.each<[ErrorCode, FailureKind]>([
  ["connect_failed", "connect-failure"],
  ["connect_timeout", "connect-failure"],
  ["mesh_port_unreachable", "connect-failure"],
  ["tls_failed", "connect-failure"],
  ["identity_mismatch", "connect-failure"],
  ["wrong_pod", "connect-failure"],
  ["refused_stream", "connect-failure"],
  ["try_timeout", "timeout"],
  ["request_timeout", "timeout"],
  ["idle_timeout", "timeout"],
  ["upstream_reset", "5xx"],
  ["upstream_closed", "5xx"],
  ["bad_response", "5xx"],
])("counts %s as %s", (code, kind) => {
  expect(failureOf({ kind: "failure", code, processed: "maybe" }, failures)).toBe(kind);
});

it.each<ErrorCode>(["deadline_exceeded", "overloaded", "circuit_open", "no_endpoints", "bad_request", "forbidden"])(
  "does not hold %s against the endpoint",
  (code) => {
    expect(failureOf({ kind: "failure", code, processed: "maybe" }, failures)).toBeUndefined();
  },
);

it("counts four gRPC statuses, and no other", () => {
  const counted = Object.values(grpcStatus).map((status) => failureOf(answer(200, status), failures));
  expect(counted.filter((kind) => kind !== undefined)).toEqual([
    "grpc-deadline-exceeded",
    "grpc-internal",
    "grpc-unavailable",
    "grpc-data-loss",
  ]);
});

it("counts only what the policy lists", () => {
  expect(failureOf(answer(503), ["timeout"])).toBeUndefined();
  expect(failureOf(answer(200, grpcStatus.unavailable), ["5xx"])).toBeUndefined();
});
