import { describe, expect, it } from "vitest";
import type { Route } from "../../model/resources.ts";
import { editHeaders, matchedPrefix, redirectLocation, rewriteTarget } from "../../model/route-filters.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";

it("sets, adds and removes header fields", () => {
  const headers = new HeaderFields(["a", "1", "b", "2", "c", "3", "c", "4"]);
  editHeaders(headers, {
    set: [["a", "x"]],
    add: [
      ["b", "y"],
      ["d", "z"],
    ],
    remove: ["c", "e"],
  });
  expect([...headers].sort(([a], [b]) => a.localeCompare(b))).toEqual([
    ["a", "x"],
    ["b", "2"],
    ["b", "y"],
    ["d", "z"],
  ]);
});

describe("a rewritten target", () => {
  // The table of https://gateway-api.sigs.k8s.io/reference/spec/#httppathmodifier, and slashes at the seam.
  it.each([
    ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
    ["/foo", "/foo", "/xyz", "/xyz"],
    ["/foo/", "/foo", "/xyz", "/xyz/"],
    ["/foo/bar", "/foo", "", "/bar"],
    ["/foo/", "/foo", "", "/"],
    ["/foo", "/foo", "", "/"],
    ["/foo/", "/foo", "/", "/"],
    ["/foo", "/foo", "/", "/"],
    ["/a/b", "/", "/v2", "/v2/a/b"],
    ["/foo/bar?q=/foo", "/foo", "/xyz", "/xyz/bar?q=/foo"],
    ["/foo/%2Fbar", "/foo", "/xyz", "/xyz/%2Fbar"],
    ["//foo//bar", "/foo", "/xyz", "/xyz/bar"],
  ])("%s with %s replaced by %j is %s", (target, prefix, value, expected) => {
    expect(rewriteTarget(target, { kind: "prefix", value }, prefix)).toBe(expected);
  });

  it("may have a whole new path, and keeps its query", () => {
    expect(rewriteTarget("/a/b?c=d", { kind: "full", value: "/x" }, "/")).toBe("/x?c=d");
    expect(rewriteTarget("/a/b", { kind: "full", value: "" }, "/")).toBe("/");
  });

  it("depends on the prefix that the route matched", () => {
    const route: Route = { name: "r", matches: [{ path: { kind: "prefix", value: "/a" } }], backends: [], timeout: {} };
    expect(matchedPrefix(route)).toBe("/a");
    expect(matchedPrefix({ ...route, matches: [] })).toBe("/");
    expect(matchedPrefix({ ...route, matches: [{ path: { kind: "exact", value: "/a" } }] })).toBe("/");
  });
});

describe("a redirect", () => {
  const request = { scheme: "http", authority: "shop.example:8080", target: "/a/b?c" } as const;
  const redirect = { kind: "redirect", status: 302 } as const;

  it.each([
    [{}, "http://shop.example:8080/a/b?c"],
    [{ hostname: "other.example" }, "http://other.example:8080/a/b?c"],
    [{ scheme: "https" }, "https://shop.example/a/b?c"],
    [{ scheme: "https", port: 8443 }, "https://shop.example:8443/a/b?c"],
    [{ scheme: "https", port: 443 }, "https://shop.example/a/b?c"],
    [{ port: 80 }, "http://shop.example/a/b?c"],
    [{ path: { kind: "prefix", value: "/x" } }, "http://shop.example:8080/x/b?c"],
    [{ path: { kind: "full", value: "/x" } }, "http://shop.example:8080/x?c"],
  ] as const)("with %j goes to %s", (fields, location) => {
    expect(redirectLocation({ ...redirect, ...fields }, request, "/a")).toBe(location);
  });

  it("keeps an IPv6 address together", () => {
    expect(redirectLocation(redirect, { ...request, authority: "[::1]:80" }, "/")).toBe("http://[::1]/a/b?c");
    expect(redirectLocation(redirect, { ...request, authority: "[::1]" }, "/")).toBe("http://[::1]/a/b?c");
  });
});
