import { describe, expect, it } from "vitest";
import type { Route, RouteMatch } from "../../model/resources.ts";
import { type RequestView, RouteTable } from "../../model/route-match.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";

function route(name: string, ...matches: RouteMatch[]): Route {
  return { name, matches, backends: [], timeout: {} };
}

function request(changes: Partial<Omit<RequestView, "headers">> & { headers?: string[] } = {}): RequestView {
  const { headers = [], ...rest } = changes;
  return { method: "GET", path: "/", query: "", ...rest, headers: new HeaderFields(headers) };
}

function matches(match: RouteMatch, view: RequestView): boolean {
  return new RouteTable([route("it", match)]).match(view) !== undefined;
}

it("takes the first route that matches", () => {
  const table = new RouteTable([
    route("post", { method: "POST" }),
    route("either", { method: "PUT" }, { path: { kind: "exact", value: "/a" } }),
    route("rest"),
  ]);
  expect(table.match(request({ method: "POST" }))?.name).toBe("post");
  expect(table.match(request({ method: "PUT" }))?.name).toBe("either");
  expect(table.match(request({ path: "/a" }))?.name).toBe("either");
  expect(table.match(request())?.name).toBe("rest");
});

it("finds nothing where nothing matches", () => {
  expect(new RouteTable([route("post", { method: "POST" })]).match(request())).toBeUndefined();
  expect(new RouteTable([]).match(request())).toBeUndefined();
});

it.each<[string, boolean, ...RouteMatch[]]>([
  ["asks for nothing", true],
  ["asks for any path", true, { path: { kind: "prefix", value: "/" } }],
  ["asks for one thing or for nothing", true, { method: "POST" }, { headers: [], query: [] }],
  ["asks for a path", false, { path: { kind: "prefix", value: "/a" } }],
  ["asks for the path /", false, { path: { kind: "exact", value: "/" } }],
  ["asks for a path by a pattern", false, { path: { kind: "regex", value: "/.*" } }],
  ["asks for a method", false, { method: "GET" }],
  ["asks for a header", false, { headers: [{ name: "x", kind: "present", value: "" }] }],
  [
    "asks for a parameter",
    false,
    { path: { kind: "prefix", value: "/" }, query: [{ name: "x", kind: "present", value: "" }] },
  ],
])("knows the route of every request if the first %s: %s", (_, isOfAll, ...matches) => {
  const [first, rest] = [route("first", ...matches), route("rest")];
  expect(new RouteTable([first, rest]).routeOfAll).toBe(isOfAll ? first : undefined);
  expect(new RouteTable([route("post", { method: "POST" }), first]).routeOfAll).toBeUndefined();
});

it("requires all parts of a match", () => {
  const match: RouteMatch = {
    method: "GET",
    path: { kind: "prefix", value: "/a" },
    headers: [{ name: "x-tester", kind: "exact", value: "1" }],
    query: [{ name: "v", kind: "exact", value: "2" }],
  };
  const all = { path: "/a/b", query: "v=2", headers: ["x-tester", "1"] };
  expect(matches(match, request(all))).toBe(true);
  expect(matches(match, request({ ...all, method: "HEAD" }))).toBe(false);
  expect(matches(match, request({ ...all, path: "/b" }))).toBe(false);
  expect(matches(match, request({ ...all, query: "v=3" }))).toBe(false);
  expect(matches(match, request({ ...all, headers: [] }))).toBe(false);
});

describe("a path", () => {
  it.each([
    ["/", "/anything", true],
    ["/abc", "/abc", true],
    ["/abc", "/abc/", true],
    ["/abc", "/abc/def", true],
    ["/abc/", "/abc", true],
    ["/abc/", "/abc/def", true],
    ["/abc", "/abcdef", false],
    ["/abc", "/ab", false],
    ["/abc", "/ABC", false],
    ["/a/b", "/a/../a/b/c", true],
    ["/admin", "/%61dmin/x", true],
    ["/a", "/a%2fb", false],
  ])("with prefix %j: %j is %j", (value, path, expected) => {
    expect(matches({ path: { kind: "prefix", value } }, request({ path }))).toBe(expected);
  });

  it("matches exactly, in normal form", () => {
    const match: RouteMatch = { path: { kind: "exact", value: "/a/b" } };
    expect(matches(match, request({ path: "/a/b" }))).toBe(true);
    expect(matches(match, request({ path: "/a//./b" }))).toBe(true);
    expect(matches(match, request({ path: "/a/b/" }))).toBe(false);
    expect(matches(match, request({ path: "/A/b" }))).toBe(false);
  });

  it("matches a regular expression as a whole", () => {
    const match: RouteMatch = { path: { kind: "regex", value: "/v[0-9]+" } };
    expect(matches(match, request({ path: "/v12" }))).toBe(true);
    expect(matches(match, request({ path: "/v12/x" }))).toBe(false);
  });

  it("matches nothing with an invalid pattern", () => {
    expect(matches({ path: { kind: "regex", value: "(" } }, request())).toBe(false);
  });
});

describe("a header", () => {
  const match: RouteMatch = { headers: [{ name: "x-group", kind: "exact", value: "beta" }] };

  it("matches by any of its values", () => {
    expect(matches(match, request({ headers: ["x-group", "beta"] }))).toBe(true);
    expect(matches(match, request({ headers: ["x-group", "alpha", "x-group", "beta"] }))).toBe(true);
    expect(matches(match, request({ headers: ["x-group", "alpha"] }))).toBe(false);
    expect(matches(match, request({ headers: ["x-other", "beta"] }))).toBe(false);
  });

  it("matches by all its values joined", () => {
    const joined: RouteMatch = { headers: [{ name: "x-group", kind: "exact", value: "alpha, beta" }] };
    expect(matches(joined, request({ headers: ["x-group", "alpha", "x-group", "beta"] }))).toBe(true);
    expect(matches(joined, request({ headers: ["x-group", "alpha, beta"] }))).toBe(true);
  });

  it("matches by presence or by a regular expression", () => {
    const present: RouteMatch = { headers: [{ name: "x-group", kind: "present", value: "" }] };
    const regex: RouteMatch = { headers: [{ name: "x-group", kind: "regex", value: "b.*" }] };
    expect(matches(present, request({ headers: ["x-group", ""] }))).toBe(true);
    expect(matches(present, request())).toBe(false);
    expect(matches(regex, request({ headers: ["x-group", "beta"] }))).toBe(true);
    expect(matches(regex, request({ headers: ["x-group", "a beta"] }))).toBe(false);
  });

  it("may have any name", () => {
    const proto: RouteMatch = { headers: [{ name: "__proto__", kind: "present", value: "" }] };
    expect(matches(proto, request())).toBe(false);
    expect(matches(proto, request({ headers: ["__proto__", "x"] }))).toBe(true);
  });
});

describe("a query parameter", () => {
  const match: RouteMatch = { query: [{ name: "user name", kind: "exact", value: "a&b" }] };

  it("is decoded", () => {
    expect(matches(match, request({ query: "user%20name=a%26b" }))).toBe(true);
    expect(matches(match, request({ query: "x=1&user+name=a%26b" }))).toBe(true);
    expect(matches(match, request({ query: "user%20name=a" }))).toBe(false);
    expect(matches(match, request())).toBe(false);
  });

  it("is compared by its first value", () => {
    const first: RouteMatch = { query: [{ name: "v", kind: "exact", value: "1" }] };
    expect(matches(first, request({ query: "v=1&v=2" }))).toBe(true);
    expect(matches(first, request({ query: "v=2&v=1" }))).toBe(false);
  });
});
