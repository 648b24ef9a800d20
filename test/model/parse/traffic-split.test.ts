import { describe, expect, it } from "vitest";
import { errorsOf, parseSpec, warningsOf } from "../../support/policy-objects.ts";

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
    expect(parseSpec("TrafficSplit", spec)).toEqual({
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
    expect(
      parseSpec("TrafficSplit", { service: "c", backends, sticky: { by: "cookie", name: "Session" } }),
    ).toMatchObject({
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
      ["spec.backends[1]: a is given twice, see spec.backends[0]"],
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
    expect(errorsOf(parseSpec("TrafficSplit", spec))).toEqual(messages);
  });

  it("refuses a header match without a value, or with an invalid regular expression", () => {
    const headers = [
      { name: "a" },
      { name: "b", type: "RegularExpression", value: "(" },
      { name: "c", type: "Present", value: "x" },
    ];
    expect(
      errorsOf(parseSpec("TrafficSplit", { service: "catalog", backends, match: [{ headers, backends }] })),
    ).toEqual([
      "spec.match[0].headers[0].value: is required",
      expect.stringMatching(/^spec\.match\[0\]\.headers\[1\]\.value: must be a regular expression in RE2 syntax/),
      "spec.match[0].headers[2].value: must be absent where type is Present",
    ]);
  });

  it("warns if no backend is left to answer", () => {
    expect(warningsOf("TrafficSplit", { service: "catalog", backends: [{ service: "a", weight: 0 }] })).toEqual([
      "spec.backends: all weights are 0: every request is answered with 503",
    ]);
    expect(warningsOf("TrafficSplit", { service: "catalog", backends })).toEqual([]);
  });
});
