/** Prints an explanation in words, for a terminal. */

import { formatDuration } from "../../model/duration.ts";
import type { CircuitBreakerPolicy, FaultAbort, TelemetryPolicy } from "../../model/policy.ts";
import type { Route, RouteFilter } from "../../model/resources.ts";
import { assertNever } from "../../model/result.ts";
import { triesWithoutPolicy } from "../../model/retry-verdict.ts";
import type { Paint } from "../terminal.ts";
import type { DescribedRequest } from "./described-request.ts";
import type { ExplainedTry } from "./explained-tries.ts";
import type {
  ExplainedBackend,
  ExplainedFault,
  ExplainedIdempotency,
  ExplainedServer,
  Explanation,
} from "./explanation.ts";

const labelWidth = 12;

export function printExplanation(request: DescribedRequest, explanation: Explanation, paint: Paint): string {
  const { from, method, path, query } = request;
  const caller =
    from.workload === undefined ? `${from.namespace} (not in the mesh)` : `${from.namespace}/${from.workload}`;
  const target = `${path}${query === "" ? "" : `?${query}`}`;
  const lines = [
    `${paint("bold", `${method} ${target}`)} from ${caller}`,
    "",
    row("destination", `${explanation.destination} (${explanation.protocol})`),
    ...(explanation.upgrade === undefined
      ? []
      : [row("upgrade", `${explanation.upgrade}: once it is answered with 101, only the idle timeout holds`)]),
    ...routeLines(explanation, paint),
  ];
  if (explanation.route !== undefined) lines.push(...policyLines(explanation, explanation.route));
  for (const backend of explanation.backends) lines.push(...backendLines(backend, paint));
  return `${lines.join("\n")}\n`;
}

function row(label: string, text: string): string {
  return `${label.padEnd(labelWidth)} ${text}`;
}

function routeLines({ matches, route }: Explanation, paint: Paint): string[] {
  const lines = matches.map(({ route: name, asks, verdict, unmet }, index) => {
    const label = index === 0 ? "route" : "";
    const wants = asks === "" ? "any request" : asks;
    switch (verdict) {
      case "taken":
        return row(label, `${paint("green", "✓")} ${paint("bold", name)}: ${wants}`);
      case "later":
        return row(label, paint("dim", `- ${name}: ${wants} holds too, but comes later`));
      case "unmet":
        return row(label, paint("dim", `✗ ${name}: ${unmet.join("; ")}`));
      default:
        return assertNever(verdict);
    }
  });
  if (route !== undefined) return lines;
  return [...lines, row(lines.length === 0 ? "route" : "", paint("red", "none: the caller gets 404 no_route"))];
}

function policyLines({ policies, telemetry, tries, fault, upgrade }: Explanation, route: Route): string[] {
  const { filters = [], mirrors = [] } = route;
  return [
    ...filters.map((filter, index) => row(index === 0 ? "filters" : "", describeFilter(filter))),
    row(
      "timeout",
      `${describeTimeout(route)}${by(policies.TimeoutPolicy && `TimeoutPolicy ${policies.TimeoutPolicy}`)}`,
    ),
    ...retryLines(route, tries, policies.RetryPolicy),
    ...(fault === undefined
      ? []
      : [
          row(
            "fault",
            `${describeFault(fault)}${by(policies.FaultInjection && `FaultInjection ${policies.FaultInjection}`)}`,
          ),
        ]),
    ...(upgrade === undefined ? mirrors : []).map(({ service, percent }) =>
      row("mirror", `${percent} % to ${service.namespace}/${service.name}`),
    ),
    ...(Object.keys(telemetry).length === 0
      ? []
      : [
          row(
            "recorded",
            `${describeTelemetry(telemetry)}${by(policies.TelemetryPolicy && `TelemetryPolicy ${policies.TelemetryPolicy}`)}`,
          ),
        ]),
  ];
}

/** Delay and abort are drawn separately: one request may get both. */
function describeFault({ policy: { delay, abort, untilUnixMs }, touches }: ExplainedFault): string {
  if (!touches) return "none for such a request";
  const parts = delay === undefined ? [] : [`${delay.percent} % wait ${formatDuration(delay.delayMs)}`];
  if (abort !== undefined) parts.push(`${abort.percent} % get ${describeAbort(abort)}`);
  return `${parts.join(", ")}, until ${new Date(untilUnixMs).toISOString()}`;
}

function describeAbort({ kind, status }: FaultAbort): string {
  return kind === "http" ? `${status} fault_injected` : `gRPC status ${status} fault_injected`;
}

function describeTelemetry({ samplingRatio, accessLog }: TelemetryPolicy): string {
  const percent = (ratio: number) => `${Number((ratio * 100).toPrecision(3))} %`;
  const parts = samplingRatio === undefined ? [] : [`${percent(samplingRatio)} of traces`];
  if (accessLog?.requests === "none") parts.push("no line in the log");
  else if (accessLog !== undefined) {
    const which = accessLog.requests === "all" ? "requests" : "failed requests";
    parts.push(`a line of ${percent(accessLog.ratio)} of ${which}`);
  }
  return parts.join(", ");
}

function by(source: string | undefined): string {
  return source === undefined ? "" : `, by ${source}`;
}

function describeTimeout({ timeout: { requestMs, perTryMs, idleMs, connectMs } }: Route): string {
  const parts = [
    ["request", requestMs],
    ["try", perTryMs],
    ["idle", idleMs],
    ["connect", connectMs],
  ] as const;
  const set = parts.flatMap(([name, ms]) => (ms === undefined ? [] : [`${name} ${formatDuration(ms)}`]));
  return set.length === 0 ? "none" : set.join(", ");
}

function retryLines({ retry }: Route, tries: readonly ExplainedTry[], policy: string | undefined): string[] {
  const again = tries.flatMap(({ outcome, verdict }) =>
    verdict.retry ? [`${outcome} after ${formatDuration(Math.round(verdict.delayMs))}`] : [],
  );
  const not = new Map<string, string[]>();
  for (const { outcome, verdict } of tries) {
    if (!verdict.retry) not.set(verdict.because, [...(not.get(verdict.because) ?? []), outcome]);
  }
  const maxTries = retry === undefined ? `${triesWithoutPolicy} tries, no policy` : `${retry.maxAttempts} tries`;
  return [
    row("retry", `${maxTries}${by(policy && `RetryPolicy ${policy}`)}`),
    ...(again.length > 0 ? [row("", `again: ${again.join(", ")}`)] : []),
    ...[...not].map(([because, which]) => row("", `not again (${because}): ${which.join(", ")}`)),
  ];
}

function describeFilter(filter: RouteFilter): string {
  switch (filter.kind) {
    case "request-headers":
    case "response-headers": {
      const edits = [
        ...filter.set.map(([name, value]) => `set ${name}: ${value}`),
        ...filter.add.map(([name, value]) => `add ${name}: ${value}`),
        ...filter.remove.map((name) => `remove ${name}`),
      ];
      return `${filter.kind === "request-headers" ? "request" : "response"} headers: ${edits.join(", ")}`;
    }
    case "redirect":
      return `redirect with ${filter.status}: nothing is sent on`;
    case "rewrite":
      return `rewrite ${[filter.hostname && `host ${filter.hostname}`, filter.path && `${filter.path.kind} path ${filter.path.value}`].filter(Boolean).join(", ")}`;
    case "unsupported":
      return `${filter.type} is not known: the caller gets 500 invalid_route`;
    default:
      return assertNever(filter);
  }
}

function backendLines(backend: ExplainedBackend, paint: Paint): string[] {
  const { service, percent, stickyTo, invalid, endpoints, breaker, tripped, server } = backend;
  const share = stickyTo === undefined ? `${Number(percent.toFixed(2))} %` : `gets all with the key ${stickyTo}`;
  if (invalid !== undefined)
    return [row("backend", `${service} ${share}, ${paint("red", `500 invalid_route: ${invalid}`)}`)];
  if (percent === 0) return [row("backend", paint("dim", `${service} 0 %`))];
  const found = [
    `${endpoints.ready} ready`,
    ...(endpoints.terminating > 0 ? [`${endpoints.terminating} terminating`] : []),
    ...(endpoints.outsideMesh > 0 ? [`${endpoints.outsideMesh} not in the mesh`] : []),
  ];
  const state =
    endpoints.ready + endpoints.terminating === 0 ? paint("red", "no endpoints: 503 no_endpoints") : found.join(", ");
  return [
    row("backend", `${paint("bold", service)} ${share}, ${state}`),
    ...(breaker === undefined ? [] : [row("", describeBreaker(breaker))]),
    ...tripped.map(({ address, breaker: state }) => row("", paint("red", `breaker ${state} now: ${address}`))),
    ...server.map((each) => row("", describeServer(each, paint))),
  ];
}

function describeBreaker({ scope, failureThreshold, openDurationMs, count }: CircuitBreakerPolicy): string {
  const failures =
    count === "consecutive" ? `${failureThreshold} failures in a row` : `${failureThreshold} failures in the window`;
  return `breaker of each ${scope}: opens after ${failures}, for ${formatDuration(openDurationMs)}`;
}

function describeServer(server: ExplainedServer, paint: Paint): string {
  const { workload, port, pods, access, by: policy, rateLimits, idempotency } = server;
  const limits =
    rateLimits.length === 0 ? "" : `, limited by RateLimit ${rateLimits.map(({ name }) => name).join(", ")}`;
  const once = idempotency === undefined || access !== "admitted" ? "" : `, ${keyWords(idempotency, paint)}`;
  const some = pods === undefined ? "" : ` (${pods.map((pod) => pod.split("/")[1]).join(", ")})`;
  return `${workload}:${port}${some} ${accessWords(access, policy, paint)}${limits}${once}`;
}

function keyWords({ rules: { name, ttlMs }, verdict }: ExplainedIdempotency, paint: Paint): string {
  switch (verdict) {
    case "keyed":
      return `processes it once for its key within ${formatDuration(ttlMs)}, by IdempotencyPolicy ${name}`;
    case "pass":
      return `not held to IdempotencyPolicy ${name}`;
    case "key-missing":
      return paint("red", `answers 400 idempotency_key_missing, by IdempotencyPolicy ${name}`);
    case "key-invalid":
      return paint("red", `answers 400 idempotency_key_invalid, by IdempotencyPolicy ${name}`);
    default:
      return assertNever(verdict);
  }
}

function accessWords(access: ExplainedServer["access"], policy: string | undefined, paint: Paint): string {
  switch (access) {
    case "admitted":
      return policy === undefined ? "admits it" : `admits it, but AccessPolicy ${policy} (audit) would refuse`;
    case "forbidden":
      return paint(
        "red",
        `refuses it: 403 forbidden, ${policy === undefined ? "no AccessPolicy allows it" : `by AccessPolicy ${policy}`}`,
      );
    case "path_ambiguous":
      return paint(
        "red",
        "refuses it: 400 path_ambiguous, a path rule is in force and this path can be read in two ways",
      );
    case "plaintext":
      return paint("red", "refuses it: mutual TLS only, and the caller is not in the mesh");
    default:
      return assertNever(access);
  }
}
