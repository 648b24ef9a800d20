import { describe, expect, it } from "vitest";
import { defaultRetryPolicy } from "../../model/defaults.ts";
import { orderMatches } from "../../model/gateway-order.ts";
import {
  type GatewayRoute,
  mergeRetry,
  mergeTimeouts,
  type RouteRule,
  type RuleMatch,
} from "../../model/gateway-route.ts";
import { grpcPath } from "../../model/grpc-match.ts";
import { RouteTable } from "../../model/route-match.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";

const rule: RouteRule = { matches: [], filters: [], mirrors: [], backends: [], timeouts: {} };

function route(name: string, ...matches: RuleMatch[]): GatewayRoute {
  return { kind: "HTTPRoute", namespace: "shop", name, parents: [], hostnames: [], rules: [{ ...rule, matches }] };
}

function order(...routes: GatewayRoute[]): string[] {
  return orderMatches(routes).map((ordered) => ordered.route.name);
}

describe("the rules of several routes", () => {
  const prefix = (value: string): RuleMatch => ({ path: { kind: "prefix", value } });

  it("are tried from the most specific, whichever route they belong to", () => {
    expect(order(route("short", prefix("/a")), route("long", prefix("/a/b")), route("all"))).toEqual([
      "long",
      "short",
      "all",
    ]);
  });

  it("are tried from the oldest if they are equal, then by name, then in their order", () => {
    const old = { ...route("old", prefix("/a")), createdAtUnixMs: 1 };
    const young = { ...route("a-young", prefix("/a")), createdAtUnixMs: 2 };
    expect(order(young, old)).toEqual(["old", "a-young"]);
    expect(order(route("b", prefix("/a")), route("a", prefix("/a")))).toEqual(["a", "b"]);
    const two = { ...route("two"), rules: [rule, { ...rule, name: "second" }] };
    expect(orderMatches([two]).map(({ ruleIndex }) => ruleIndex)).toEqual([0, 1]);
  });

  it("are split match by match", () => {
    expect(order(route("two", prefix("/"), prefix("/a/b")), route("one", prefix("/a")))).toEqual(["two", "one", "two"]);
  });
});

describe("the rules of GRPCRoutes", () => {
  function grpcRoute(name: string, service?: string, method?: string, headers = 0): GatewayRoute {
    const grpc = { kind: "exact", ...(service && { service }), ...(method && { method }) } as const;
    const path = grpcPath(grpc);
    const fields = Array.from({ length: headers }, (_, i) => ({ name: `h${i}`, kind: "present", value: "" }) as const);
    const match: RuleMatch = { grpc, ...(path && { path }), ...(headers > 0 && { headers: fields }) };
    return { ...route(name, match), kind: "GRPCRoute" };
  }

  it("are ordered by service, then method, then headers", () => {
    const found = order(
      grpcRoute("all"),
      grpcRoute("header", undefined, undefined, 1),
      grpcRoute("method", undefined, "VeryLongMethodName"),
      grpcRoute("service", "a.B"),
      grpcRoute("longer service", "a.Bc"),
      grpcRoute("both", "a.B", "Get"),
    );
    expect(found).toEqual(["longer service", "both", "service", "method", "header", "all"]);
  });

  it("leave nothing specific to gRPC in the compiled match", () => {
    expect(orderMatches([grpcRoute("both", "a.B", "Get")])[0]?.match).toEqual({
      path: { kind: "exact", value: "/a.B/Get" },
    });
  });
});

describe("a gRPC method as a path", () => {
  function matches(match: Parameters<typeof grpcPath>[0], path: string): boolean {
    const found = grpcPath(match);
    const compiled = { name: "it", matches: found ? [{ path: found }] : [], backends: [], timeout: {} };
    return (
      new RouteTable([compiled]).match({ method: "POST", path, query: "", headers: new HeaderFields() }) !== undefined
    );
  }

  it.each([
    [{ kind: "exact", service: "a.B", method: "Get" }, ["/a.B/Get"], ["/a.B/GetAll", "/a.Bc/Get"]],
    [{ kind: "exact", service: "a.B" }, ["/a.B/Get", "/a.B/Put"], ["/a.Bc/Get"]],
    [{ kind: "exact", method: "a.b" }, ["/x/a.b"], ["/x/acb"]],
    [{ kind: "exact", method: "Get" }, ["/a.B/Get", "/x/Get"], ["/a.B/GetAll", "/x/y/Get"]],
    [{ kind: "regex", service: "a|b", method: "Get.*" }, ["/a/Get", "/b/GetAll"], ["/ab/Get", "/a/Put", "/a"]],
    [{ kind: "regex", method: "Get|Put" }, ["/a/Get", "/b/Put"], ["/a/Gut"]],
    [{ kind: "exact" }, ["/a/b", "/"], []],
  ] as const)("%j", (match, yes, no) => {
    expect(yes.filter((path) => matches(match, path))).toEqual(yes);
    expect(no.filter((path) => matches(match, path))).toEqual([]);
  });
});

describe("a rule's own settings", () => {
  it("win over the policy's timeouts, field by field, and 0 turns them off", () => {
    const policy = { requestMs: 1000, perTryMs: 300, idleMs: 60_000 };
    expect(mergeTimeouts({}, policy)).toEqual(policy);
    expect(mergeTimeouts({ requestMs: 500 }, policy)).toEqual({ ...policy, requestMs: 500 });
    expect(mergeTimeouts({ backendRequestMs: 50 }, policy)).toEqual({ ...policy, perTryMs: 50 });
    expect(mergeTimeouts({ requestMs: 0, backendRequestMs: 0 }, policy)).toEqual({ idleMs: 60_000 });
  });

  it("win over the policy's retry, field by field; attempts are retries", () => {
    expect(mergeRetry({}, defaultRetryPolicy)).toEqual(defaultRetryPolicy);
    expect(mergeRetry({ attempts: 4 }, defaultRetryPolicy).maxAttempts).toBe(5);
    expect(mergeRetry({ attempts: 0 }, defaultRetryPolicy).maxAttempts).toBe(1);
    expect(mergeRetry({ codes: ["500", "504"] }, defaultRetryPolicy).retryOn).toEqual([
      "connect-failure",
      "connect-timeout",
      "refused-stream",
      "500",
      "504",
    ]);
    expect(mergeRetry({ backoffMs: 10_000 }, defaultRetryPolicy)).toMatchObject({
      initialDelayMs: 10_000,
      maxDelayMs: 10_000,
    });
  });
});
