/** A retry layer with recording ends, for the tests of this folder. */

import { defaultRetryPolicy } from "../../../model/defaults.ts";
import { type ErrorCode, MeshError, type Processed } from "../../../model/errors.ts";
import type { RetryPolicy } from "../../../model/policy.ts";
import { RetryBudget } from "../../../model/retry-budget.ts";
import type { Exchange, RequestHead, ResponseSink, Service } from "../../../sidecar/net/exchange.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { retry } from "../../../sidecar/policy/retry.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

export const policy: RetryPolicy = { ...defaultRetryPolicy, jitter: 0 };
export const post: Partial<RequestHead> = { method: "POST", bodyless: false };
export const put: Partial<RequestHead> = { method: "PUT", bodyless: false };

export interface Setup {
  readonly policy?: RetryPolicy | undefined;
  readonly head?: Partial<RequestHead>;
  readonly budget?: RetryPolicy["budget"];
  readonly prepare?: (exchange: Exchange) => void;
  /** What the n-th try does before the service returns. */
  readonly atOnce?: readonly ((response: ResponseSink) => void)[];
}

/** A retry layer between a recording caller and upstreams, one for each try. */
export function retrying(setup: Setup = {}) {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const caller = new RecordingCaller();
  const tries: RecordingUpstream[] = [];
  const counted: string[] = [];
  const ended: string[] = [];
  const service: Service = (exchange, response) => {
    const upstream = new RecordingUpstream();
    tries.push(upstream);
    exchange.endpoint = `10.0.0.${tries.length}:80`;
    setup.atOnce?.[tries.length - 1]?.(response);
    return upstream.service(exchange, response);
  };
  const layer = retry({
    policy: "policy" in setup ? setup.policy : policy,
    budget: new RetryBudget(setup.budget ?? defaultRetryPolicy.budget, clock),
    wheel,
    clock,
    random: () => 0.5,
    unixNow: () => 0,
    counts: {
      retried: (reason) => counted.push(`retried ${reason}`),
      notRetried: (reason) => counted.push(reason),
    },
    tries: {
      answered: (status, grpcStatus) => ended.push(grpcStatus === undefined ? `${status}` : `grpc ${grpcStatus}`),
      failed: (code) => ended.push(code),
      abandoned: () => ended.push("abandoned"),
    },
  });
  const exchange = exchangeOf(setup.head);
  setup.prepare?.(exchange);
  const sink = layer(service)(exchange, caller);
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  const last = () => tries[tries.length - 1] as RecordingUpstream;
  const answer = (status: number, headers: Record<string, string> = {}) =>
    last().response.head(responseHead(status, headers));
  const fail = (code: ErrorCode, processed: Processed = "unprocessed") =>
    last().response.abortResponse(new MeshError(code, "", { processed }));
  return { clock, wheel, caller, tries, counted, ended, exchange, sink, pass, last, answer, fail };
}

/** Why a caller goes. */
export const gone = new MeshError("upstream_closed", "the caller is gone");
