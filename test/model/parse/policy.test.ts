import { describe, expect, it } from "vitest";
import { defaultCircuitBreakerPolicy, defaultRetryPolicy, defaultTimeoutPolicy } from "../../../model/defaults.ts";
import { parseCircuitBreaker } from "../../../model/parse/circuit-breaker.ts";
import { isPolicyKind, openApiOf, parsePolicy, policyKinds } from "../../../model/parse/policy.ts";
import { parseRetryPolicy } from "../../../model/parse/retry-policy.ts";
import type { OpenApiSchema } from "../../../model/parse/schema.ts";
import { parseTimeoutPolicy } from "../../../model/parse/timeout-policy.ts";
import { parseTrafficSplit } from "../../../model/parse/traffic-split.ts";
import { policyWarnings } from "../../../model/parse/warnings.ts";
import type { Policy } from "../../../model/policy-object.ts";
import type { FieldError, Result } from "../../../model/result.ts";

function errorsOf(result: Result<unknown, FieldError[]>): string[] {
  return result.ok ? [] : result.error.map(({ path, message }) => `${path}: ${message}`);
}

/** What the API server asks of a schema: a type everywhere, lists and texts bounded where rules compute with them. */
function structureFaults(schema: OpenApiSchema, path: string): string[] {
  const { type, properties = {}, items, additionalProperties, maxItems, maxLength, maxProperties } = schema;
  const faults: string[] = [];
  if (type === undefined && schema["x-kubernetes-int-or-string"] !== true) faults.push(`${path} has no type`);
  if (type === "array" && maxItems === undefined) faults.push(`${path} has no maxItems`);
  if (additionalProperties !== undefined && maxProperties === undefined) faults.push(`${path} has no maxProperties`);
  const bounded = [maxLength, schema["enum"], schema["format"], schema["pattern"]].some((bound) => bound !== undefined);
  if (type === "string" && !bounded) faults.push(`${path} has no maxLength`);
  const inner = [...Object.entries(properties as object), ["[]", items], ["{}", additionalProperties]] as const;
  return inner.reduce<string[]>(
    (all, [name, one]) =>
      one === undefined ? all : [...all, ...structureFaults(one as OpenApiSchema, `${path}.${name}`)],
    faults,
  );
}

function policy(kind: string, spec: unknown, more: object = {}): unknown {
  return { apiVersion: "tulle.dev/v1alpha1", kind, metadata: { name: "it", namespace: "shop" }, spec, ...more };
}

function warningsOf(kind: string, spec: unknown): string[] {
  const parsed = parsePolicy(policy(kind, spec));
  return parsed.ok ? policyWarnings(parsed.value).map(({ path, message }) => `${path}: ${message}`) : errorsOf(parsed);
}

describe("a policy as an object", () => {
  it("has a kind, a name, targets and a spec", () => {
    const spec = { targetRefs: [{ kind: "Service", name: "orders", sectionName: "http" }] };
    expect(parsePolicy(policy("RetryPolicy", spec))).toEqual({
      ok: true,
      value: {
        kind: "RetryPolicy",
        namespace: "shop",
        name: "it",
        targets: [{ kind: "Service", name: "orders", sectionName: "http" }],
        spec: defaultRetryPolicy,
      } satisfies Policy,
    });
  });

  it("is in the namespace default, and a default of it, where nothing else is said", () => {
    const bare = { apiVersion: "tulle.dev/v1alpha1", kind: "TimeoutPolicy", metadata: { name: "it", labels: {} } };
    expect(parsePolicy(bare)).toMatchObject({ ok: true, value: { namespace: "default", targets: [] } });
  });

  it("is of a known kind", () => {
    expect(errorsOf(parsePolicy(policy("RetryPolcy", {})))).toEqual([
      `kind: must be one of ${policyKinds.join(", ")}, got "RetryPolcy", did you mean RetryPolicy?`,
    ]);
    expect(isPolicyKind("constructor")).toBe(false);
    expect([...policyKinds].sort()).toEqual(policyKinds);
  });

  it("has all its errors told at once", () => {
    const broken = {
      apiVersion: "tulle.dev/v1",
      kind: "RetryPolicy",
      metadata: { name: "Not A Name", namespace: 7 },
      spec: { maxAttemps: 3, targetRefs: [{ kind: "Pod" }] },
      speck: {},
    };
    expect(errorsOf(parsePolicy(broken))).toEqual([
      'apiVersion: must be tulle.dev/v1alpha1, got "tulle.dev/v1"',
      "speck: unknown field, did you mean spec?",
      'metadata.name: must be a name of lower-case letters, digits, dashes and dots, got "Not A Name"',
      "metadata.namespace: must be a text, got 7",
      "spec.maxAttemps: unknown field, did you mean maxAttempts?",
      'spec.targetRefs[0].kind: must be one of Service, HTTPRoute, GRPCRoute, got "Pod"',
      "spec.targetRefs[0].name: is required",
    ]);
  });

  it.each([null, undefined, 7, "x", []])("is no %j", (value) => {
    expect(parsePolicy(value).ok).toBe(false);
  });

  it.each(policyKinds)("%s has a structural schema", (kind) => {
    expect(structureFaults(openApiOf(kind), "spec")).toEqual([]);
  });
});

describe("targetRefs", () => {
  function targets(...targetRefs: unknown[]): string[] {
    return errorsOf(parsePolicy(policy("RetryPolicy", { targetRefs })));
  }

  it("name objects of the same namespace", () => {
    expect(targets({ kind: "Service", name: "orders", namespace: "other" })).toEqual([
      "spec.targetRefs[0].namespace: a policy attaches to objects of its own namespace only",
    ]);
  });

  it("may give the group of their kind, and no other", () => {
    expect(targets({ kind: "Service", group: "", name: "orders" })).toEqual([]);
    expect(targets({ kind: "HTTPRoute", group: "gateway.networking.k8s.io", name: "orders" })).toEqual([]);
    expect(targets({ kind: "HTTPRoute", group: "", name: "orders" })).toEqual([
      'spec.targetRefs[0].group: must be "gateway.networking.k8s.io" for a HTTPRoute, got ""',
    ]);
  });

  it("name nothing twice", () => {
    const orders = { kind: "Service", name: "orders" };
    expect(targets(orders, { ...orders, sectionName: "http" })).toEqual([]);
    expect(targets(orders, orders)).toEqual([
      "spec.targetRefs[1]: Service orders is there twice, see spec.targetRefs[0]",
    ]);
  });

  it("of a CircuitBreaker are Services", () => {
    const spec = { targetRefs: [{ kind: "HTTPRoute", name: "orders" }] };
    expect(errorsOf(parsePolicy(policy("CircuitBreaker", spec)))).toEqual([
      'spec.targetRefs[0].kind: must be one of Service, got "HTTPRoute"',
    ]);
  });
});

describe("a RetryPolicy", () => {
  it("has defaults", () => {
    expect(parseRetryPolicy({})).toEqual({ ok: true, value: defaultRetryPolicy });
  });

  it("is read in full", () => {
    const spec = {
      maxAttempts: 5,
      initialDelay: "50ms",
      backoffMultiplier: 1.5,
      maxDelay: "2s",
      jitter: 0,
      perTryTimeout: "1s",
      retryOn: [504, "5xx", "unavailable", "reset", "504"],
      budget: { percent: 10 },
      retryNonIdempotent: true,
    };
    expect(parseRetryPolicy(spec)).toEqual({
      ok: true,
      value: {
        maxAttempts: 5,
        initialDelayMs: 50,
        backoffMultiplier: 1.5,
        maxDelayMs: 2000,
        jitter: 0,
        perTryTimeoutMs: 1000,
        retryOn: ["reset", "5xx", "504", "unavailable"],
        budget: { percent: 10, windowMs: 10_000, minRetriesPerSecond: 10 },
        retryNonIdempotent: true,
      },
    });
  });

  it("has no perTryTimeout where that is 0s", () => {
    expect(parseRetryPolicy({ perTryTimeout: "0s" })).toEqual({ ok: true, value: defaultRetryPolicy });
  });

  it.each([400, "401", 403, "404", 409])("can't list %j, and says why", (status) => {
    expect(errorsOf(parseRetryPolicy({ retryOn: ["503", status] }))).toEqual([
      `spec.retryOn[1]: ${status} can't be retried: the request itself must change before the answer can`,
    ]);
  });

  it.each<[object, string]>([
    [{ maxAttempts: 0 }, "spec.maxAttempts: must be at least 1, got 0"],
    [{ maxAttempts: 1.5 }, "spec.maxAttempts: must be a whole number, got 1.5"],
    [{ maxAttempts: "3" }, 'spec.maxAttempts: must be a whole number, got "3"'],
    [{ maxDelay: "10 parsecs" }, 'spec.maxDelay: must be a duration such as 1h30m, 10s or 500ms, got "10 parsecs"'],
    [{ initialDelay: "10s" }, "spec.initialDelay: must be at most maxDelay (5s), got 10s"],
    [{ jitter: 2 }, "spec.jitter: must be at most 1, got 2"],
    [{ backoffMultiplier: 0.5 }, "spec.backoffMultiplier: must be at least 1, got 0.5"],
    [{ budget: { percent: -1 } }, "spec.budget.percent: must be at least 0, got -1"],
    [{ budget: { ratio: 1 } }, "spec.budget.ratio: unknown field, known are percent, window, minRetriesPerSecond"],
    [{ retryOn: [] }, "spec.retryOn: must have at least 1 item, got 0"],
    [{ retryNonIdempotent: "yes" }, 'spec.retryNonIdempotent: must be true or false, got "yes"'],
  ])("refuses %j", (spec, message) => {
    expect(errorsOf(parseRetryPolicy(spec))).toEqual([message]);
  });

  it("lists what may be retried where something else is asked for", () => {
    const [message] = errorsOf(parseRetryPolicy({ retryOn: ["unavailible"] }));
    expect(message).toMatch(/^spec\.retryOn\[0\]: must be one of connect-failure, .*did you mean unavailable\?$/);
  });

  it("warns of requests that may be processed twice", () => {
    expect(warningsOf("RetryPolicy", { retryNonIdempotent: true })).toEqual([
      "spec.retryNonIdempotent: POST and PATCH may be processed twice; an IdempotencyPolicy on the target would prevent that",
    ]);
    expect(warningsOf("RetryPolicy", {})).toEqual([]);
  });
});

describe("a TimeoutPolicy", () => {
  it("has defaults", () => {
    expect(parseTimeoutPolicy({})).toEqual({ ok: true, value: defaultTimeoutPolicy });
  });

  it("turns off by 0s", () => {
    expect(parseTimeoutPolicy({ request: "0s", idle: "0s", connect: "0s", perTry: "0s" })).toEqual({
      ok: true,
      value: {},
    });
  });

  it("is read in full", () => {
    const spec = { request: "10s", perTry: "3s", idle: "1m", connect: "250ms" };
    expect(parseTimeoutPolicy(spec)).toEqual({
      ok: true,
      value: { requestMs: 10_000, perTryMs: 3000, idleMs: 60_000, connectMs: 250 },
    });
  });

  it("is refused with the field's path", () => {
    expect(errorsOf(parseTimeoutPolicy({ request: 10, perTryTimeout: "1s" }))).toEqual([
      "spec.perTryTimeout: unknown field, known are targetRefs, request, perTry, idle, connect",
      "spec.request: must be a duration such as 1h30m, 10s or 500ms, got 10",
    ]);
  });

  it("warns of a perTry that request never lets come", () => {
    expect(warningsOf("TimeoutPolicy", { request: "1s", perTry: "2s" })).toEqual([
      "spec.perTry: 2s is never reached: request ends all tries after 1s",
    ]);
    expect(warningsOf("TimeoutPolicy", { request: "0s", perTry: "2s" })).toEqual([]);
  });
});

describe("a CircuitBreaker", () => {
  it("has defaults", () => {
    expect(parseCircuitBreaker({})).toEqual({ ok: true, value: defaultCircuitBreakerPolicy });
  });

  it("is read in full", () => {
    const spec = {
      scope: "Service",
      failureThreshold: 10,
      failureWindow: "30s",
      count: "Window",
      openDuration: "5s",
      maxOpenDuration: "1m",
      successThreshold: 1,
      maxOpenPercent: 50,
      failures: ["timeout", "5xx"],
      maxRequests: 100,
      maxConnections: 10,
      maxPendingRequests: 0,
    };
    expect(parseCircuitBreaker(spec)).toEqual({
      ok: true,
      value: {
        scope: "service",
        failureThreshold: 10,
        failureWindowMs: 30_000,
        count: "window",
        openDurationMs: 5000,
        maxOpenDurationMs: 60_000,
        successThreshold: 1,
        maxOpenPercent: 50,
        failures: ["5xx", "timeout"],
        maxRequests: 100,
        maxConnections: 10,
        maxPendingRequests: 0,
      },
    });
  });

  it.each<[object, string]>([
    [
      { count: "consecutive" },
      'spec.count: must be one of Consecutive, Window, got "consecutive", did you mean Consecutive?',
    ],
    [{ scope: "Pod" }, 'spec.scope: must be one of Endpoint, Service, got "Pod"'],
    [{ maxOpenDuration: "10s" }, "spec.maxOpenDuration: must be at least openDuration (30s), got 10s"],
    [{ maxOpenPercent: 101 }, "spec.maxOpenPercent: must be at most 100, got 101"],
    [{ maxRequests: 0 }, "spec.maxRequests: must be at least 1, got 0"],
  ])("refuses %j", (spec, message) => {
    expect(errorsOf(parseCircuitBreaker(spec))).toEqual([message]);
  });
});

describe("a TrafficSplit", () => {
  const backends = [
    { service: "catalog-v1", weight: 90 },
    { service: "catalog-v2", weight: 10 },
  ];

  it("is read in full", () => {
    const spec = {
      service: "catalog",
      port: 80,
      match: [
        { headers: [{ name: "X-Tester", value: "1" }], backends: [{ service: "catalog-v2" }] },
        { path: { type: "Exact", value: "/new" }, method: "GET", backends: [{ service: "catalog-v3", port: 81 }] },
      ],
      backends: [...backends, { namespace: "lab", service: "catalog", weight: 0 }],
      sticky: { by: "header", name: "X-User" },
      mirror: { service: "catalog-next", percent: 0.5 },
    };
    expect(parseTrafficSplit(spec)).toEqual({
      ok: true,
      value: {
        service: "catalog",
        port: 80,
        match: [
          {
            match: { headers: [{ name: "x-tester", kind: "exact", value: "1" }] },
            backends: [{ service: "catalog-v2", weight: 1 }],
          },
          {
            match: { path: { kind: "exact", value: "/new" }, method: "GET" },
            backends: [{ service: "catalog-v3", port: 81, weight: 1 }],
          },
        ],
        backends: [...backends, { namespace: "lab", service: "catalog", weight: 0 }],
        sticky: { by: "header", name: "x-user" },
        mirror: { service: "catalog-next", percent: 0.5 },
      },
    });
  });

  it("keeps a cookie's name as it is written", () => {
    expect(parseTrafficSplit({ service: "c", backends, sticky: { by: "cookie", name: "Session" } })).toMatchObject({
      value: { sticky: { by: "cookie", name: "Session" } },
    });
  });

  it.each<[object, string[]]>([
    [{ backends }, ["spec.service: is required"]],
    [{ service: "catalog" }, ["spec.backends: is required"]],
    [{ service: "catalog", backends: [] }, ["spec.backends: must have at least 1 item, got 0"]],
    [
      {
        service: "catalog",
        backends: [
          { service: "a", weight: -1 },
          { service: "b", weight: "10" },
        ],
      },
      [
        "spec.backends[0].weight: must be at least 0, got -1",
        'spec.backends[1].weight: must be a whole number, got "10"',
      ],
    ],
    [
      { service: "catalog", backends: [{ service: "a" }, { service: "a" }] },
      ["spec.backends[1]: a is there twice, see spec.backends[0]"],
    ],
    [
      { service: "catalog", backends, match: [{ backends }] },
      ["spec.match[0].headers: one of headers, path and method is required: this would match everything"],
    ],
    [
      { service: "catalog", backends, match: [{ path: { value: "new" }, backends }] },
      ['spec.match[0].path.value: must start with /, got "new"'],
    ],
    [
      { service: "catalog", backends, match: [{ headers: [{ name: "a b", value: "1" }], method: "get", backends }] },
      [
        'spec.match[0].method: must be one of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH, got "get", did you mean GET?',
        'spec.match[0].headers[0].name: must be the name of a header, got "a b"',
      ],
    ],
    [
      { service: "catalog", backends, sticky: { by: "ip", name: "x" } },
      ['spec.sticky.by: must be one of header, cookie, got "ip"'],
    ],
  ])("refuses %j", (spec, messages) => {
    expect(errorsOf(parseTrafficSplit(spec))).toEqual(messages);
  });

  it("refuses a header match without a value, or one that is no regular expression", () => {
    const headers = [
      { name: "a" },
      { name: "b", type: "RegularExpression", value: "(" },
      { name: "c", type: "Present", value: "x" },
    ];
    expect(errorsOf(parseTrafficSplit({ service: "catalog", backends, match: [{ headers, backends }] }))).toEqual([
      "spec.match[0].headers[0].value: is required",
      expect.stringMatching(/^spec\.match\[0\]\.headers\[1\]\.value: must be a regular expression in RE2 syntax/),
      "spec.match[0].headers[2].value: must be absent where type is Present",
    ]);
  });

  it("warns where nothing is left to answer", () => {
    expect(warningsOf("TrafficSplit", { service: "catalog", backends: [{ service: "a", weight: 0 }] })).toEqual([
      "spec.backends: all weights are 0: every request is answered with 503",
    ]);
    expect(warningsOf("TrafficSplit", { service: "catalog", backends })).toEqual([]);
  });
});
