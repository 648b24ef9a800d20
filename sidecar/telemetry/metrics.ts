/**
 * Every metric of a sidecar, in one list: `docs/metrics.md` says the same, and a test compares them.
 * Names and units follow https://prometheus.io/docs/practices/naming/.
 *
 * Counters and histograms exist from the start; gauges mirror live objects and are read from them at each scrape.
 */

import type { Counter } from "./counter.ts";
import type { Histogram } from "./histogram.ts";
import type { MetricRegistry } from "./registry.ts";

export interface MetricDefinition<L extends string = string> {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly L[];
  /** The labels whose values do not come from a list in the code: past the limit of label sets they become `other`. */
  readonly growing?: readonly L[];
}

function define<const L extends string>(
  type: MetricDefinition["type"],
  name: string,
  help: string,
  labels: readonly L[] = [],
  growing: readonly NoInfer<L>[] = [],
): MetricDefinition<L> {
  return { name, type, help, labels, growing };
}

export const sidecarMetrics = {
  requests: define(
    "counter",
    "tulle_requests_total",
    "Requests that ended, by the status the caller got.",
    ["direction", "service", "peer", "tls", "code", "grpc", "result", "error"],
    ["service", "peer"],
  ),
  requestDuration: define(
    "histogram",
    "tulle_request_duration_seconds",
    "Time from a request's head to the end of its answer, all tries together.",
    ["direction", "service"],
    ["service"],
  ),
  requestBytes: define(
    "counter",
    "tulle_request_bytes_total",
    "Bytes of request bodies, and bytes that callers sent through tunnels and opaque connections.",
    ["direction", "service"],
    ["service"],
  ),
  responseBytes: define(
    "counter",
    "tulle_response_bytes_total",
    "Bytes of response bodies, and bytes that came back through tunnels and opaque connections.",
    ["direction", "service"],
    ["service"],
  ),
  attempts: define(
    "counter",
    "tulle_attempts_total",
    "Tries sent to an endpoint, first ones and retries.",
    ["service", "outcome"],
    ["service"],
  ),
  retries: define(
    "counter",
    "tulle_retries_total",
    "Retries, by what was wrong with the try before.",
    ["service", "reason"],
    ["service"],
  ),
  retriesSkipped: define(
    "counter",
    "tulle_retries_skipped_total",
    "Failed tries that were not retried, by the reason.",
    ["service", "reason"],
    ["service"],
  ),
  retryBudgetAllowed: define(
    "gauge",
    "tulle_retry_budget_allowed",
    "Retries that the budget of a Service allows within its window at the current rate of requests; of several budgets, the one with the least left.",
    ["service"],
    ["service"],
  ),
  retryBudgetRemaining: define(
    "gauge",
    "tulle_retry_budget_remaining",
    "Retries that this budget would still allow now.",
    ["service"],
    ["service"],
  ),
  lostCalls: define(
    "counter",
    "tulle_lost_calls_total",
    "Requests made without a trace context while others were being served, so that they inherit no deadline.",
    ["service"],
    ["service"],
  ),
  splitRequests: define(
    "counter",
    "tulle_split_requests_total",
    "Requests that a route sent to each of its backends.",
    ["service", "route", "backend"],
    ["service", "route", "backend"],
  ),
  splitWeight: define(
    "gauge",
    "tulle_split_weight",
    "The weight that a route gives to each of its backends, as configured.",
    ["service", "route", "backend"],
    ["service", "route", "backend"],
  ),
  mirrors: define(
    "counter",
    "tulle_mirrored_requests_total",
    "Copies of requests for another Service, by how they ended.",
    ["service", "backend", "outcome"],
    ["service", "backend"],
  ),
  breakerState: define(
    "gauge",
    "tulle_breaker_state",
    "A circuit breaker's state: 0 closed, 1 half-open, 2 open.",
    ["backend", "endpoint"],
    ["backend", "endpoint"],
  ),
  breakerTransitions: define(
    "counter",
    "tulle_breaker_transitions_total",
    "Changes of a circuit breaker's state, by the new one.",
    ["backend", "endpoint", "to"],
    ["backend", "endpoint"],
  ),
  overloads: define(
    "counter",
    "tulle_overloads_total",
    "Requests refused because a limit of a CircuitBreaker was reached, by the limit.",
    ["backend", "limit"],
    ["backend"],
  ),
  pendingRequests: define(
    "gauge",
    "tulle_pending_requests",
    "Requests that wait because every endpoint is full.",
    ["backend"],
    ["backend"],
  ),
  endpoints: define(
    "gauge",
    "tulle_endpoints",
    "Endpoints of a backend that this sidecar knows, by state.",
    ["backend", "state"],
    ["backend"],
  ),
  connections: define("gauge", "tulle_connections", "Open connections, by direction.", ["direction"]),
  tlsHandshakes: define("counter", "tulle_tls_handshakes_total", "Finished mutual TLS handshakes, by outcome.", [
    "direction",
    "outcome",
  ]),
  certificateNotBefore: define(
    "gauge",
    "tulle_certificate_not_before_timestamp_seconds",
    "The start of the validity of the certificate in use, as Unix time.",
  ),
  certificateExpiry: define(
    "gauge",
    "tulle_certificate_expiry_timestamp_seconds",
    "The end of the validity of the certificate in use, as Unix time.",
  ),
  controlStreamConnected: define(
    "gauge",
    "tulle_control_stream_connected",
    "Whether the stream from the control plane is up: 1 or 0.",
  ),
  policyUpdates: define("counter", "tulle_policy_updates_total", "Resources received from the control plane.", [
    "kind",
    "outcome",
  ]),
  inboundPolicyInfo: define(
    "gauge",
    "tulle_inbound_policy_info",
    "Always 1, with the version of the workload's own policy that is in force: the same in all of its pods once all have it.",
    ["version"],
    ["version"],
  ),
  policyApplied: define(
    "gauge",
    "tulle_policy_applied_timestamp_seconds",
    "When a resource from the control plane was last put in force, as Unix time, by its kind.",
    ["kind"],
  ),
  accessRefused: define(
    "counter",
    "tulle_access_refused_total",
    "Requests and connections that access policies refused, or would have in audit mode, by policy.",
    ["policy", "mode"],
    ["policy"],
  ),
  idempotencyRequests: define(
    "counter",
    "tulle_idempotency_requests_total",
    "Requests under an IdempotencyPolicy that carried a key or had to, by outcome.",
    ["policy", "outcome"],
    ["policy"],
  ),
  idempotencyAnswers: define(
    "counter",
    "tulle_idempotency_answers_total",
    "Requests with a key that were processed, by what happened to their answers.",
    ["policy", "outcome"],
    ["policy"],
  ),
  idempotencyEvictions: define(
    "counter",
    "tulle_idempotency_evictions_total",
    "Evictions from memory before their time: of an answer, or of everything known about a key.",
    ["what"],
  ),
  idempotencyStoreFailures: define(
    "counter",
    "tulle_idempotency_store_failures_total",
    "Failed calls to the shared store of answers, by operation.",
    ["operation"],
  ),
  idempotencyKeys: define(
    "gauge",
    "tulle_idempotency_keys",
    "Keys that this sidecar itself knows, by what it knows about them.",
    ["state"],
  ),
  idempotencyBytes: define("gauge", "tulle_idempotency_bytes", "Memory that kept answers take, in bytes."),
  passthrough: define(
    "counter",
    "tulle_passthrough_total",
    "Connections and requests forwarded to the dialled address without a policy, by reason.",
    ["reason"],
  ),
  refused: define("counter", "tulle_refused_total", "Requests and connections refused before any layer saw them.", [
    "listener",
    "code",
  ]),
  spansDropped: define(
    "counter",
    "tulle_spans_dropped_total",
    "Recorded spans that could not be stored or exported, and were dropped.",
  ),
} as const;

type Labels<D> = D extends MetricDefinition<infer L> ? L : never;
type Defined = typeof sidecarMetrics;

/** The counters and the histogram of a sidecar. */
export interface SidecarMetrics {
  readonly requests: Counter<Labels<Defined["requests"]>>;
  readonly requestDuration: Histogram<Labels<Defined["requestDuration"]>>;
  readonly requestBytes: Counter<Labels<Defined["requestBytes"]>>;
  readonly responseBytes: Counter<Labels<Defined["responseBytes"]>>;
  readonly attempts: Counter<Labels<Defined["attempts"]>>;
  readonly retries: Counter<Labels<Defined["retries"]>>;
  readonly retriesSkipped: Counter<Labels<Defined["retriesSkipped"]>>;
  readonly lostCalls: Counter<Labels<Defined["lostCalls"]>>;
  readonly splitRequests: Counter<Labels<Defined["splitRequests"]>>;
  readonly mirrors: Counter<Labels<Defined["mirrors"]>>;
  readonly breakerTransitions: Counter<Labels<Defined["breakerTransitions"]>>;
  readonly overloads: Counter<Labels<Defined["overloads"]>>;
  readonly tlsHandshakes: Counter<Labels<Defined["tlsHandshakes"]>>;
  readonly policyUpdates: Counter<Labels<Defined["policyUpdates"]>>;
  readonly accessRefused: Counter<Labels<Defined["accessRefused"]>>;
  readonly idempotencyRequests: Counter<Labels<Defined["idempotencyRequests"]>>;
  readonly idempotencyAnswers: Counter<Labels<Defined["idempotencyAnswers"]>>;
  readonly idempotencyEvictions: Counter<Labels<Defined["idempotencyEvictions"]>>;
  readonly idempotencyStoreFailures: Counter<Labels<Defined["idempotencyStoreFailures"]>>;
  readonly passthrough: Counter<Labels<Defined["passthrough"]>>;
  readonly refused: Counter<Labels<Defined["refused"]>>;
  readonly spansDropped: Counter<Labels<Defined["spansDropped"]>>;
}

export function createSidecarMetrics(registry: MetricRegistry): SidecarMetrics {
  return {
    requests: registry.counter(sidecarMetrics.requests),
    requestDuration: registry.histogram(sidecarMetrics.requestDuration),
    requestBytes: registry.counter(sidecarMetrics.requestBytes),
    responseBytes: registry.counter(sidecarMetrics.responseBytes),
    attempts: registry.counter(sidecarMetrics.attempts),
    retries: registry.counter(sidecarMetrics.retries),
    retriesSkipped: registry.counter(sidecarMetrics.retriesSkipped),
    lostCalls: registry.counter(sidecarMetrics.lostCalls),
    splitRequests: registry.counter(sidecarMetrics.splitRequests),
    mirrors: registry.counter(sidecarMetrics.mirrors),
    breakerTransitions: registry.counter(sidecarMetrics.breakerTransitions),
    overloads: registry.counter(sidecarMetrics.overloads),
    tlsHandshakes: registry.counter(sidecarMetrics.tlsHandshakes),
    policyUpdates: registry.counter(sidecarMetrics.policyUpdates),
    accessRefused: registry.counter(sidecarMetrics.accessRefused),
    idempotencyRequests: registry.counter(sidecarMetrics.idempotencyRequests),
    idempotencyAnswers: registry.counter(sidecarMetrics.idempotencyAnswers),
    idempotencyEvictions: registry.counter(sidecarMetrics.idempotencyEvictions),
    idempotencyStoreFailures: registry.counter(sidecarMetrics.idempotencyStoreFailures),
    passthrough: registry.counter(sidecarMetrics.passthrough),
    refused: registry.counter(sidecarMetrics.refused),
    spansDropped: registry.counter(sidecarMetrics.spansDropped),
  };
}
