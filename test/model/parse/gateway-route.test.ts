import { describe, expect, it } from "vitest";
import type { RouteRule } from "../../../model/gateway-route.ts";
import { parseGatewayRoute } from "../../../model/parse/gateway-route.ts";

function parse(rule: object, kind = "HTTPRoute") {
  return parseGatewayRoute({ kind, metadata: { name: "it", namespace: "shop" }, spec: { rules: [rule] } });
}

function ruleOf(rule: object, kind = "HTTPRoute"): RouteRule | undefined {
  const result = parse(rule, kind);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value.rules[0];
}

function errorsOf(rule: object, kind = "HTTPRoute"): string[] {
  const result = parse(rule, kind);
  return result.ok ? [] : result.error.map(({ path, message }) => `${path}: ${message}`);
}

it("reads an HTTPRoute in full", () => {
  const object = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "orders", namespace: "shop", creationTimestamp: "2026-01-01T00:00:00Z", uid: "x" },
    spec: {
      parentRefs: [
        { group: "", kind: "Service", name: "orders", port: 80 },
        { name: "edge", sectionName: "https" },
      ],
      hostnames: ["orders.example"],
      rules: [
        {
          name: "canary",
          matches: [
            {
              path: { type: "PathPrefix", value: "/v2" },
              method: "GET",
              headers: [
                { name: "X-A", value: "1" },
                { name: "x-a", value: "2" },
              ],
              queryParams: [{ type: "RegularExpression", name: "q", value: "[0-9]+" }],
            },
          ],
          filters: [{ type: "RequestMirror", requestMirror: { backendRef: { name: "shadow", port: 80 }, percent: 5 } }],
          backendRefs: [
            { name: "orders-v2", port: 80, weight: 3 },
            { namespace: "lab", name: "orders", port: 81 },
          ],
          timeouts: { request: "10s", backendRequest: "2s" },
          retry: { codes: [503, 500], attempts: 2, backoff: "50ms" },
        },
      ],
    },
    status: {},
  };
  expect(parseGatewayRoute(object)).toEqual({
    ok: true,
    value: {
      kind: "HTTPRoute",
      namespace: "shop",
      name: "orders",
      createdAtUnixMs: Date.UTC(2026, 0, 1),
      parents: [
        { group: "", kind: "Service", name: "orders", port: 80 },
        { group: "gateway.networking.k8s.io", kind: "Gateway", name: "edge", sectionName: "https" },
      ],
      hostnames: ["orders.example"],
      rules: [
        {
          name: "canary",
          matches: [
            {
              path: { kind: "prefix", value: "/v2" },
              method: "GET",
              headers: [{ name: "x-a", kind: "exact", value: "1" }],
              query: [{ name: "q", kind: "regex", value: "[0-9]+" }],
            },
          ],
          filters: [],
          mirrors: [{ backend: { kind: "service", name: "shadow", port: 80 }, percent: 5 }],
          backends: [
            { backend: { kind: "service", name: "orders-v2", port: 80 }, weight: 3, filters: [] },
            { backend: { kind: "service", namespace: "lab", name: "orders", port: 81 }, weight: 1, filters: [] },
          ],
          timeouts: { requestMs: 10_000, backendRequestMs: 2000 },
          retry: { codes: ["500", "503"], attempts: 2, backoffMs: 50 },
        },
      ],
    },
  });
});

describe("filters", () => {
  it("are read by their type", () => {
    const filters = [
      { type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "X-A", value: "1" }], remove: ["X-B"] } },
      { type: "ResponseHeaderModifier", responseHeaderModifier: { add: [{ name: "X-C", value: "" }] } },
      {
        type: "URLRewrite",
        urlRewrite: { hostname: "b.example", path: { type: "ReplaceFullPath", replaceFullPath: "/x" } },
      },
    ];
    expect(ruleOf({ filters })?.filters).toEqual([
      { kind: "request-headers", set: [["x-a", "1"]], add: [], remove: ["x-b"] },
      { kind: "response-headers", set: [], add: [["x-c", ""]], remove: [] },
      { kind: "rewrite", hostname: "b.example", path: { kind: "full", value: "/x" } },
    ]);
    const redirect = {
      scheme: "https",
      port: 8443,
      statusCode: 301,
      path: { type: "ReplacePrefixMatch", replacePrefixMatch: "" },
    };
    expect(ruleOf({ filters: [{ type: "RequestRedirect", requestRedirect: redirect }] })?.filters).toEqual([
      { kind: "redirect", scheme: "https", port: 8443, status: 301, path: { kind: "prefix", value: "" } },
    ]);
  });

  it("of an unknown type are kept, so that their rule answers 500", () => {
    const filters = [{ type: "ExtensionRef", extensionRef: { group: "x", kind: "Y", name: "z" } }];
    expect(ruleOf({ filters })?.filters).toEqual([{ kind: "unsupported", type: "ExtensionRef" }]);
    expect(ruleOf({ filters: [{ type: "URLRewrite", urlRewrite: {} }] }, "GRPCRoute")?.filters).toEqual([
      { kind: "unsupported", type: "URLRewrite" },
    ]);
  });

  it("of a backend can edit and rewrite, and nothing else", () => {
    const filters = [
      { type: "RequestHeaderModifier", requestHeaderModifier: {} },
      { type: "RequestMirror", requestMirror: { backendRef: { name: "a", port: 80 } } },
    ];
    expect(ruleOf({ backendRefs: [{ name: "a", port: 80, filters }] })?.backends[0]?.filters).toEqual([
      { kind: "request-headers", set: [], add: [], remove: [] },
      { kind: "unsupported", type: "RequestMirror" },
    ]);
  });

  it("mirror a fraction", () => {
    const requestMirror = { backendRef: { name: "a", port: 80 }, fraction: { numerator: 1, denominator: 1000 } };
    expect(ruleOf({ filters: [{ type: "RequestMirror", requestMirror }] })?.mirrors[0]?.percent).toBeCloseTo(0.1);
  });

  it.each<[object[], string]>([
    [[{}], "spec.rules[0].filters[0].type: is required"],
    [[{ type: "URLRewrite" }], "spec.rules[0].filters[0].urlRewrite: is required"],
    [
      [{ type: "URLRewrite", urlRewrite: {}, requestMirror: {} }],
      "spec.rules[0].filters[0].requestMirror: must be absent where type is URLRewrite",
    ],
    [
      [
        { type: "URLRewrite", urlRewrite: {} },
        { type: "RequestRedirect", requestRedirect: {} },
      ],
      "spec.rules[0].filters: RequestRedirect and URLRewrite exclude each other",
    ],
    [
      [{ type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replacePrefixMatch: "/" } } }],
      "spec.rules[0].filters[0].urlRewrite.path.replacePrefixMatch: must be absent beside replaceFullPath",
    ],
    [
      [{ type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "a", value: "b\r\nc: d" }] } }],
      'spec.rules[0].filters[0].requestHeaderModifier.set[0].value: must be a header\'s value, without control characters, got "b\\r\\nc: d"',
    ],
    [
      [{ type: "RequestRedirect", requestRedirect: { statusCode: 200 } }],
      "spec.rules[0].filters[0].requestRedirect.statusCode: must be one of 301, 302, 303, 307, 308, got 200",
    ],
  ])("refuse %j", (filters, message) => {
    expect(errorsOf({ filters })).toEqual([message]);
  });
});

describe("backendRefs", () => {
  it("to other kinds than Services are kept", () => {
    expect(ruleOf({ backendRefs: [{ group: "x.example", kind: "Bucket", name: "b" }] })?.backends).toEqual([
      { backend: { kind: "unsupported", what: "Bucket b" }, weight: 1, filters: [] },
    ]);
  });

  it("to Services need a port", () => {
    expect(errorsOf({ backendRefs: [{ name: "a" }] })).toEqual([
      "spec.rules[0].backendRefs[0].port: is required for a Service",
    ]);
  });
});

describe("a GRPCRoute", () => {
  it("has its methods as paths", () => {
    const matches = [
      { method: { service: "shop.Catalog", method: "List" } },
      { method: { service: "shop.Catalog" }, headers: [{ name: "X-A", value: "1" }] },
      { method: { type: "RegularExpression", method: "Get.*" } },
      {},
    ];
    expect(ruleOf({ matches }, "GRPCRoute")?.matches.map(({ path, headers }) => ({ path, headers }))).toEqual([
      { path: { kind: "exact", value: "/shop.Catalog/List" } },
      { path: { kind: "prefix", value: "/shop.Catalog" }, headers: [{ name: "x-a", kind: "exact", value: "1" }] },
      { path: { kind: "regex", value: "/[^/]+/(?:Get.*)" } },
      {},
    ]);
  });

  it.each<[object, string]>([
    [{ method: {} }, "spec.rules[0].matches[0].method.service: this or method or both are required"],
    [{ method: { service: "a/b" } }, 'spec.rules[0].matches[0].method.service: must be a gRPC name, got "a/b"'],
    [{ path: {} }, "spec.rules[0].matches[0].path: unknown field, known are method, headers"],
  ])("refuses %j", (match, message) => {
    expect(errorsOf({ matches: [match] }, "GRPCRoute")).toEqual([message]);
  });

  it("refuses an invalid regular expression for a method", () => {
    const [message] = errorsOf({ matches: [{ method: { type: "RegularExpression", method: "(" } }] }, "GRPCRoute");
    expect(message).toMatch(/^spec\.rules\[0\]\.matches\[0\]\.method\.method: must be a regular expression/);
  });
});

it.each<[object, string]>([
  [
    { retry: { codes: [404] } },
    "spec.rules[0].retry.codes[0]: 404 can't be retried: the request itself must change before the answer can",
  ],
  [{ retry: { codes: [501] } }, "spec.rules[0].retry.codes[0]: must be one of 429, 500, 502, 503, 504, got 501"],
  [
    { timeouts: { request: "1s", backendRequest: "2s" } },
    "spec.rules[0].timeouts.backendRequest: must be at most request",
  ],
  [{ matches: [{ path: { value: "a" } }] }, 'spec.rules[0].matches[0].path.value: must start with /, got "a"'],
  [{ match: [] }, "spec.rules[0].match: unknown field, did you mean matches?"],
])("refuses %j", (rule, message) => {
  expect(errorsOf(rule)).toEqual([message]);
});

it("reads 0s as no limit", () => {
  expect(ruleOf({ timeouts: { request: "0s", backendRequest: "2s" } })?.timeouts).toEqual({
    requestMs: 0,
    backendRequestMs: 2000,
  });
});

it("is of a known kind", () => {
  expect(parseGatewayRoute({ kind: "TCPRoute" })).toMatchObject({ ok: false, error: [{ path: "kind" }] });
});

it.each(["Host", "content-length", "Transfer-Encoding", "connection", "Upgrade", "tulle-client-id"])(
  "does not let a filter edit %s",
  (name) => {
    for (const edit of [{ set: [{ name, value: "x" }] }, { add: [{ name, value: "x" }] }, { remove: [name] }]) {
      for (const kind of ["HTTPRoute", "GRPCRoute"]) {
        const request = { filters: [{ type: "RequestHeaderModifier", requestHeaderModifier: edit }] };
        const response = { filters: [{ type: "ResponseHeaderModifier", responseHeaderModifier: edit }] };
        expect(errorsOf(request, kind)).toEqual([expect.stringContaining(`must not be ${name.toLowerCase()}`)]);
        expect(errorsOf(response, kind)).toHaveLength(1);
      }
    }
  },
);

it.each(["v1", "/a?b", "/a#b", "/a b", "?"])("does not accept %j as a path to rewrite to", (value) => {
  for (const path of [
    { type: "ReplaceFullPath", replaceFullPath: value },
    { type: "ReplacePrefixMatch", replacePrefixMatch: value },
  ]) {
    expect(errorsOf({ filters: [{ type: "URLRewrite", urlRewrite: { path } }] })).toEqual([
      expect.stringContaining("a path that starts with /"),
    ]);
  }
});

it("gives an HTTPRoute without rules the API's default, and a GRPCRoute none", () => {
  const rulesOf = (kind: string) => {
    const result = parseGatewayRoute({ kind, metadata: { name: "it" }, spec: {} });
    return result.ok ? result.value.rules.length : undefined;
  };
  expect([rulesOf("HTTPRoute"), rulesOf("GRPCRoute")]).toEqual([1, 0]);
});
