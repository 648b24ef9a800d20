import { describe, expect, it } from "vitest";
import { defaultRetryPolicy } from "../../model/defaults.ts";
import type { ErrorCode } from "../../model/errors.ts";
import type { RetryPolicy } from "../../model/policy.ts";
import { isSettledForAll, type RetryableRequest, retryVerdict } from "../../model/retry-verdict.ts";
import { grpcStatus, type TryOutcome } from "../../model/try-outcome.ts";

const get: RetryableRequest = {
  method: "GET",
  grpc: false,
  idempotencyKey: false,
  bodyReplayable: true,
  remainingMs: Number.POSITIVE_INFINITY,
};
const post: RetryableRequest = { ...get, method: "POST" };
const grpcCall: RetryableRequest = { ...post, grpc: true };
const middle = () => 0.5;

function answer(status: number, more: { grpcStatus?: number; retryAfterMs?: number; retriedBelow?: boolean } = {}) {
  return { kind: "answer", status, retriedBelow: false, ...more } as const;
}

function failure(code: ErrorCode, processed: "unprocessed" | "maybe" = "maybe"): TryOutcome {
  return { kind: "failure", code, processed };
}

function judge(outcome: TryOutcome, request = get, policy: RetryPolicy | undefined = defaultRetryPolicy, attempt = 1) {
  const verdict = retryVerdict(policy, request, attempt, outcome, middle);
  return verdict.retry ? `${verdict.reason} after ${verdict.delayMs} ms` : verdict.because;
}

function on(...retryOn: RetryPolicy["retryOn"]): RetryPolicy {
  return { ...defaultRetryPolicy, retryOn };
}

it.each(["connect-failure", "connect-timeout"] as const)("treats an unreachable mesh port as a %s", (condition) => {
  expect(judge(failure("mesh_port_unreachable", "unprocessed"), get, on(condition))).toBe(`${condition} after 100 ms`);
});

describe("the default policy", () => {
  it.each([
    [answer(503), "503 after 100 ms"],
    [answer(429), "429 after 100 ms"],
    [failure("connect_failed", "unprocessed"), "connect-failure after 100 ms"],
    [failure("mesh_port_unreachable", "unprocessed"), "connect-failure after 100 ms"],
    [failure("tls_failed", "unprocessed"), "connect-failure after 100 ms"],
    [failure("identity_mismatch", "unprocessed"), "connect-failure after 100 ms"],
    [failure("connect_timeout", "unprocessed"), "connect-timeout after 100 ms"],
    [failure("refused_stream", "unprocessed"), "refused-stream after 100 ms"],
    [failure("wrong_pod", "unprocessed"), "refused-stream after 100 ms"],
    [answer(421), "refused-stream after 100 ms"],
  ])("retries %o", (outcome, verdict) => {
    expect(judge(outcome)).toBe(verdict);
  });

  it.each([400, 401, 403, 404, 409, 500, 501, 502, 504])("does not retry %d", (status) => {
    expect(judge(answer(status))).toBe("not_retryable");
  });

  it.each<ErrorCode>(["upstream_reset", "upstream_closed", "try_timeout", "bad_response"])(
    "leaves %s alone",
    (code) => {
      expect(judge(failure(code))).toBe("not_retryable");
    },
  );

  it("does not retry after success", () => {
    expect(judge(answer(200))).toBe("succeeded");
    expect(judge(answer(304))).toBe("succeeded");
    expect(judge(answer(200, { grpcStatus: 0 }), grpcCall)).toBe("succeeded");
  });
});

it.each<ErrorCode>([
  "circuit_open",
  "no_endpoints",
  "no_route",
  "overloaded",
  "forbidden",
  "request_timeout",
  "deadline_exceeded",
  "idle_timeout",
  "loop_detected",
])("does not repeat the mesh's own decision %s, whatever is listed", (code) => {
  expect(judge(failure(code), get, on("5xx", "503", "504", "reset", "unavailable"))).toBe("not_retryable");
});

it("waits longer before each retry, and stops after maxAttempts tries in all", () => {
  expect(judge(answer(503), get, defaultRetryPolicy, 1)).toBe("503 after 100 ms");
  expect(judge(answer(503), get, defaultRetryPolicy, 2)).toBe("503 after 200 ms");
  expect(judge(answer(503), get, defaultRetryPolicy, 3)).toBe("attempts_exhausted");
});

it("reads 5xx as every status from 500 to 599, and names the exact one if that is listed too", () => {
  for (const status of [500, 501, 502, 503, 504, 599]) expect(judge(answer(status), get, on("5xx"))).toMatch(/^5xx/);
  expect(judge(answer(502), get, on("5xx", "502"))).toMatch(/^502/);
  expect(judge(answer(499), get, on("5xx"))).toBe("not_retryable");
});

it("judges a failed try by what failed, or by the status that the mesh would answer with", () => {
  expect(judge(failure("upstream_reset"), get, on("reset"))).toMatch(/^reset/);
  expect(judge(failure("upstream_closed"), get, on("502"))).toMatch(/^502/);
  expect(judge(failure("try_timeout"), get, on("504"))).toMatch(/^504/);
  expect(judge(failure("try_timeout"), get, on("reset"))).toBe("not_retryable");
});

describe("POST and PATCH", () => {
  it.each(["POST", "PATCH", "PURGE"])("%s is not retried once it may have been processed", (method) => {
    expect(judge(answer(503), { ...get, method })).toBe("not_idempotent");
    expect(judge(failure("upstream_reset"), { ...get, method }, on("reset"))).toBe("not_idempotent");
  });

  it("is retried if it certainly was not processed", () => {
    expect(judge(failure("connect_failed", "unprocessed"), post)).toMatch(/^connect-failure/);
    expect(judge(failure("refused_stream", "unprocessed"), post)).toMatch(/^refused-stream/);
    expect(judge(answer(421), post)).toMatch(/^refused-stream/);
  });

  it("is retried with an idempotency key that the target honours", () => {
    expect(judge(answer(503), { ...post, idempotencyKey: true })).toMatch(/^503/);
  });

  it("is retried if the policy consents", () => {
    expect(judge(answer(503), post, { ...defaultRetryPolicy, retryNonIdempotent: true })).toMatch(/^503/);
  });
});

it.each(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])("%s is idempotent", (method) => {
  expect(judge(answer(503), { ...get, method })).toMatch(/^503/);
});

describe("gRPC", () => {
  const unavailable = answer(200, { grpcStatus: grpcStatus.unavailable });

  it("retries no status by default", () => {
    for (const status of Object.values(grpcStatus).filter((code) => code !== 0)) {
      expect(judge(answer(200, { grpcStatus: status }), grpcCall)).toBe("not_retryable");
    }
  });

  it("treats a listed status as consent, although the method is POST", () => {
    expect(judge(unavailable, grpcCall, on("unavailable"))).toMatch(/^unavailable/);
    expect(judge(answer(200, { grpcStatus: grpcStatus.dataLoss }), grpcCall, on("data-loss"))).toMatch(/^data-loss/);
  });

  it("does not treat 503 as UNAVAILABLE", () => {
    expect(judge(unavailable, grpcCall, on("503", "5xx"))).toBe("not_retryable");
  });

  it("treats a lost connection as UNAVAILABLE and a try's timeout as DEADLINE_EXCEEDED", () => {
    expect(judge(failure("upstream_reset"), grpcCall, on("unavailable"))).toMatch(/^unavailable/);
    expect(judge(failure("try_timeout"), grpcCall, on("deadline-exceeded"))).toMatch(/^deadline-exceeded/);
  });

  it("does not treat an HTTP condition as consent", () => {
    expect(judge(answer(503), grpcCall)).toBe("not_idempotent");
    expect(judge(failure("upstream_reset"), grpcCall, on("reset"))).toBe("not_idempotent");
  });

  it("ignores a status that came after the head", () => {
    expect(judge(answer(200), grpcCall, on("unavailable"))).toBe("succeeded");
  });

  it("looks at a gRPC status only for gRPC", () => {
    expect(judge(unavailable, get, on("unavailable"))).toBe("not_retryable");
  });
});

it("does not retry what another hop has retried, unless this try was not processed", () => {
  expect(judge(answer(503, { retriedBelow: true }))).toBe("retried_below");
  expect(judge(answer(421, { retriedBelow: true }))).toMatch(/^refused-stream/);
});

it("does not begin a wait that the deadline would end", () => {
  const waits = { ...defaultRetryPolicy, jitter: 0, initialDelayMs: 100 };
  expect(judge(answer(503), { ...get, remainingMs: 100 }, waits)).toBe("deadline_too_near");
  expect(judge(answer(503), { ...get, remainingMs: 101 }, waits)).toMatch(/^503/);
  expect(judge(answer(503, { retryAfterMs: 2_000 }), { ...get, remainingMs: 2_000 }, waits)).toBe("deadline_too_near");
});

describe("the last try is final for the hops above", () => {
  const failed = answer(503);

  it("if the request was retried here or below", () => {
    expect(isSettledForAll("attempts_exhausted", 2, failed)).toBe(true);
    expect(isSettledForAll("not_retryable", 1, answer(503, { retriedBelow: true }))).toBe(true);
  });

  it.each(["retry_budget_exhausted", "deadline_too_near", "retry_after_too_long"] as const)(
    "if it is %s",
    (because) => {
      expect(isSettledForAll(because, 1, failed)).toBe(true);
    },
  );

  it.each(["not_retryable", "not_idempotent", "attempts_exhausted", "body_too_large"] as const)(
    "but not if it is only %s: they may know better",
    (because) => {
      expect(isSettledForAll(because, 1, failed)).toBe(false);
    },
  );
});

it("does not retry a request whose body is gone", () => {
  expect(judge(answer(503), { ...get, method: "PUT", bodyReplayable: false })).toBe("body_too_large");
});

describe("Retry-After", () => {
  it("is waited for on 429 and 503, if longer than the backoff", () => {
    expect(judge(answer(429, { retryAfterMs: 3000 }))).toBe("429 after 3000 ms");
    expect(judge(answer(503, { retryAfterMs: 5000 }))).toBe("503 after 5000 ms");
    expect(judge(answer(503, { retryAfterMs: 1 }))).toBe("503 after 100 ms");
  });

  it("ends the tries if it is longer than maxDelay", () => {
    expect(judge(answer(429, { retryAfterMs: 5001 }))).toBe("retry_after_too_long");
  });

  it("means nothing on other statuses", () => {
    expect(judge(answer(500, { retryAfterMs: 60_000 }), get, on("500"))).toBe("500 after 100 ms");
  });
});

describe("with no policy", () => {
  function bare(outcome: TryOutcome, request = get, attempt = 1) {
    const verdict = retryVerdict(undefined, request, attempt, outcome, middle);
    return verdict.retry ? `${verdict.reason} after ${verdict.delayMs} ms` : verdict.because;
  }

  it("tries once more, at once, what certainly was not processed", () => {
    expect(bare(failure("connect_failed", "unprocessed"))).toBe("unprocessed after 0 ms");
    expect(bare(failure("link_saturated", "unprocessed"), post)).toBe("unprocessed after 0 ms");
    expect(bare(failure("refused_stream", "unprocessed"), post)).toBe("unprocessed after 0 ms");
    expect(bare(failure("connect_failed", "unprocessed"), get, 2)).toBe("attempts_exhausted");
  });

  it.each(["circuit_open", "no_endpoints", "no_policy_yet", "overloaded"] as const)(
    "does not retry the mesh's own decisions: %s",
    (code) => {
      expect(bare(failure(code, "unprocessed"))).toBe("not_retryable");
    },
  );

  it("retries nothing else", () => {
    expect(bare(answer(503))).toBe("not_retryable");
    expect(bare(failure("upstream_reset"))).toBe("not_retryable");
    expect(bare(answer(200))).toBe("succeeded");
    expect(bare(failure("connect_failed", "unprocessed"), { ...post, bodyReplayable: false })).toBe("body_too_large");
  });
});
