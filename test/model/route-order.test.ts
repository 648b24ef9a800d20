import { expect, it } from "vitest";
import type { Route, RouteMatch } from "../../model/resources.ts";
import { sortRoutes } from "../../model/route-order.ts";

function route(name: string, ...matches: RouteMatch[]): Route {
  return { name, matches, backends: [], timeout: {} };
}

function order(...routes: Route[]): string[] {
  return sortRoutes(routes).map((sorted) => sorted.name);
}

const header = (name: string) => ({ name, kind: "exact", value: "1" }) as const;

it("tries exact paths, then regular expressions, then prefixes from the longest to the shortest", () => {
  const found = order(
    route("all"),
    route("/a", { path: { kind: "prefix", value: "/a" } }),
    route("/a/b", { path: { kind: "prefix", value: "/a/b" } }),
    route("regex", { path: { kind: "regex", value: "/a/.*" } }),
    route("exact", { path: { kind: "exact", value: "/a" } }),
  );
  expect(found).toEqual(["exact", "regex", "/a/b", "/a", "all"]);
});

it("then a method, then more headers, then more query parameters", () => {
  const found = order(
    route("bare", { path: { kind: "prefix", value: "/a" } }),
    route("query", { path: { kind: "prefix", value: "/a" }, query: [header("q")] }),
    route("header", { path: { kind: "prefix", value: "/a" }, headers: [header("a")] }),
    route("headers", { path: { kind: "prefix", value: "/a" }, headers: [header("a"), header("b")] }),
    route("method", { path: { kind: "prefix", value: "/a" }, method: "GET" }),
    route("longer", { path: { kind: "prefix", value: "/a/b" } }),
  );
  expect(found).toEqual(["longer", "method", "headers", "header", "query", "bare"]);
});

it("keeps the order of equal ones", () => {
  expect(order(route("older"), route("younger"), route("youngest", {}))).toEqual(["older", "younger", "youngest"]);
});

it("sorts the matches of one route separately", () => {
  const sorted = sortRoutes([
    route("two", { path: { kind: "prefix", value: "/" } }, { path: { kind: "exact", value: "/a" } }),
    route("one", { path: { kind: "prefix", value: "/a" } }),
  ]);
  expect(sorted.map(({ name, matches }) => `${name} ${matches[0]?.path?.value}`)).toEqual([
    "two /a",
    "one /a",
    "two /",
  ]);
});
