import fc from "fast-check";
import { expect, it } from "vitest";
import { normalizePath, pathOf } from "../../model/path.ts";
import { cpuMsOf } from "../support/cpu-time.ts";

it.each([
  "/",
  "/a",
  "/a/",
  "/a/b.c/..d/e..",
  "/a/.well-known/x",
  "/~user/a-b_c",
  "/a,b=c:d@e!$&'()*+",
  "/caf%C3%A9",
  "/a%20b",
  "/100%25",
  "/%F0%9F%92%A9",
])("leaves %j unchanged", (path) => {
  expect(normalizePath(path)).toEqual({ path, ambiguous: false });
});

it("reads escapes in lower case like those in upper case", () => {
  expect(normalizePath("/caf%c3%a9")).toEqual({ path: "/caf%C3%A9", ambiguous: false });
});

it.each([
  ["/a/../b", "/b"],
  ["/a/%2e%2E/b", "/b"],
  ["/a/.%2e/b", "/b"],
  ["/../../etc", "/etc"],
  ["/a/./b", "/a/b"],
  ["/a/%2e/b", "/a/b"],
  ["/a/b/..", "/a/"],
  ["/a/b/.", "/a/b/"],
  ["//a///b", "/a/b"],
  ["/a//", "/a/"],
  ["/%61dmin", "/admin"],
  ["/%7Euser", "/~user"],
  ["a/b", "/a/b"],
])("resolves %j to %j, and calls it ambiguous", (raw, path) => {
  expect(normalizePath(raw)).toEqual({ path, ambiguous: true });
});

it.each([
  "/a%2fb",
  "/a%2Fb",
  "/a%5cb",
  "/a\\b",
  "/a;jsessionid=1/b",
  "/a/..;/b",
  "/a%00b",
  "/a%0d%0ab",
  "/a%7f",
  "/a%252fb",
  "/a%252e%252e/b",
  "/%c0%ae%c0%ae/b",
  "/%e0%80%af",
  "/%ff",
  "/%C3",
  "/%ED%A0%80",
  "/a%",
  "/a%zz",
  "/a%4",
  "/a b",
  "/a\0b",
  "/a#b",
  "/a\u00e9",
])("calls %j ambiguous", (raw) => {
  expect(normalizePath(raw).ambiguous).toBe(true);
});

it("has a normal form for targets without a path", () => {
  expect(normalizePath("*")).toEqual({ path: "/*", ambiguous: false });
  expect(normalizePath("")).toEqual({ path: "/", ambiguous: false });
});

it("keeps an encoded slash within its segment", () => {
  expect(normalizePath("/a%2fb").path).toBe("/a%2Fb");
  expect(normalizePath("/a/..%2fb").path).toBe("/a/..%2Fb");
});

it("gives a path that is its own normal form, for any path", () => {
  const piece = fc.constantFrom(
    "/",
    "a",
    ".",
    "..",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "%61",
    "%25",
    "%",
    ";",
    "\\",
    "%c3%a9",
    "2e",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const { path, ambiguous } = normalizePath(`/${pieces.join("")}`);
      expect(path.startsWith("/")).toBe(true);
      expect(path).not.toMatch(/\/\/|\/\.\.?(\/|$)/);
      expect(ambiguous || !normalizePath(path).ambiguous).toBe(true);
    }),
  );
});

it("normalises a long path in linear time", () => {
  const tookMs = cpuMsOf(() => {
    normalizePath(`/${"a".repeat(100_000)}\0`);
    normalizePath("/".repeat(100_000));
    normalizePath("/%2e%2e".repeat(20_000));
  });
  expect(tookMs).toBeLessThan(1_000);
});

it("cuts off the query", () => {
  expect(pathOf("/a?b?c")).toBe("/a");
  expect(pathOf("/a")).toBe("/a");
});
