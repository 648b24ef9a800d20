import { expect, it } from "vitest";
import type { TappedRequest } from "../../../sidecar/debug/request-taps.ts";
import { formatTapFilter, isWanted, parseTapFilter, type TapFilter } from "../../../sidecar/debug/tap-filter.ts";

const request: TappedRequest = {
  atMs: 0,
  direction: "outbound",
  from: "shop/web",
  to: "shop/catalog",
  backend: "shop/catalog-v2",
  method: "GET",
  authority: "catalog",
  path: "/items/1",
  status: 503,
  durationMs: 1,
  requestBytes: 0,
  responseBytes: 0,
  attempts: 1,
};

it.each<[TapFilter, boolean]>([
  [{}, true],
  [{ direction: "outbound" }, true],
  [{ direction: "inbound" }, false],
  [{ from: "shop/web" }, true],
  [{ from: "shop" }, true],
  [{ from: "sho" }, false],
  [{ from: "shop/we" }, false],
  [{ to: "shop/catalog" }, true],
  [{ to: "shop/catalog-v2" }, true],
  [{ to: "shop/catalog-v1" }, false],
  [{ method: "GET" }, true],
  [{ method: "POST" }, false],
  [{ path: "/items" }, true],
  [{ path: "/orders" }, false],
  [{ status: "503" }, true],
  [{ status: "5xx" }, true],
  [{ status: "4xx" }, false],
  [{ errors: true }, true],
  [{ from: "shop/web", to: "shop/orders" }, false],
])("holds %o to a request: %s", (filter, wanted) => {
  expect(isWanted(filter, request)).toBe(wanted);
});

it("counts a status below 500 as an error only if the mesh made the response", () => {
  expect(isWanted({ errors: true }, { ...request, status: 429 })).toBe(false);
  expect(isWanted({ errors: true }, { ...request, status: 429, error: "rate_limited" })).toBe(true);
  expect(isWanted({ errors: true }, { ...request, status: 0, error: "upstream_reset" })).toBe(true);
});

it("finds destinations outside the mesh by their host, with or without the port", () => {
  const outside = { ...request, to: "api.example.com:443" };
  const wanted = ["api.example.com", "api.example.com:443", "api.example.com:80", "example.com", "api"].filter(
    (to) => parseTapFilter({ to }).ok && isWanted({ to }, outside),
  );
  expect(wanted).toEqual(["api.example.com", "api.example.com:443"]);
});

it("reads what it writes", () => {
  const filter: TapFilter = {
    direction: "inbound",
    from: "shop",
    method: "GET",
    path: "/a?",
    status: "5xx",
    errors: true,
  };
  expect(parseTapFilter(formatTapFilter(filter))).toEqual({ ok: true, value: filter });
  expect(parseTapFilter({ method: "get", from: "", errors: undefined })).toEqual({
    ok: true,
    value: { method: "GET" },
  });
});

it.each([
  [{ direction: "up" }, "direction must be inbound or outbound, got up"],
  [{ from: "a/b/c" }, "from must be like shop/orders, or a namespace, got a/b/c"],
  [{ method: "G ET" }, "method must be like GET, got G ET"],
  [{ path: "items" }, "path must begin with /, got items"],
  [{ status: "6xx" }, "status must be like 503 or 5xx, got 6xx"],
  [{ path: `/${"a".repeat(600)}` }, "path must have at most 512 characters"],
])("refuses %o", (words, error) => {
  expect(parseTapFilter(words)).toEqual({ ok: false, error });
});
