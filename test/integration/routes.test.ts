/** Routes as their authors write them, compiled, and applied between two sidecars over real sockets. */

import { once } from "node:events";
import http2 from "node:http2";
import * as grpc from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../support/eventually.ts";
import { serviceYaml } from "../support/manifests.ts";
import { askThrough, meshed, nextPodIp, TestMesh } from "../support/sidecar-pair.ts";
import { apply, mirrorOutcomes, openShop, route, serve, services } from "./routed-shop.ts";

it("routes each request by the most specific match: path, expression, query, method, headers and host", async () => {
  const { mesh, web } = await openShop();
  await using _ = mesh;
  apply(
    mesh,
    services,
    route(`[
      {matches: [{path: {value: /items}}], backendRefs: [{name: orders, port: 80}]},
      {matches: [{path: {type: Exact, value: /items/new}}, {path: {type: RegularExpression, value: "/items/[0-9]+"}}],
       backendRefs: [{name: blue, port: 80}]},
      {matches: [{path: {value: /items}, method: DELETE}, {path: {value: /items}, queryParams: [{name: full, value: "1"}]},
                 {path: {value: /items}, headers: [{name: x-tester, value: a}]}, {headers: [{name: host, value: orders.shop}]}],
       backendRefs: [{name: green, port: 80}]}]`),
  );
  const expected: [path: string, options: Parameters<typeof askThrough>[2], answer: string][] = [
    ["/items", {}, "orders"],
    ["/items/x", {}, "orders"],
    ["/items/new", {}, "blue"],
    ["/items/new?full=1", {}, "blue"],
    ["/items/42", { method: "DELETE" }, "blue"],
    ["/items/42a", {}, "orders"],
    ["/items", { method: "DELETE" }, "green"],
    ["/items?full=1", {}, "green"],
    ["/items?full=2", {}, "orders"],
    ["/items", { headers: { "x-tester": "a" } }, "green"],
  ];
  for (const [path, options, answer] of expected) {
    const { body } = await askThrough(web.podIp, `http://orders${path}`, options);
    expect([path, body]).toEqual([path, answer]);
  }
  expect((await askThrough(web.podIp, "http://orders.shop/")).body).toBe("green");
  const none = await askThrough(web.podIp, "http://orders/itemsx");
  expect([none.status, none.headers["tulle-error"]]).toEqual([404, "no_route"]);
});

it("edits headers, rewrites, and redirects", async () => {
  const { mesh, web } = await openShop();
  await using _ = mesh;
  apply(
    mesh,
    services,
    route(`[
      {matches: [{path: {value: /old}}],
       filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: new.example, statusCode: 308,
                  path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]},
      {matches: [{path: {value: /api}}],
       filters: [
        {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Set, value: new}], add: [{name: X-Add, value: b}], remove: [x-gone]}},
        {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Out, value: "1"}], remove: [X-Inner]}},
        {type: URLRewrite, urlRewrite: {hostname: legacy.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1}}}],
       backendRefs: [{name: orders, port: 80}]}]`),
  );
  const moved = await askThrough(web.podIp, "http://orders/old/a?b=c", { method: "POST", body: "dropped" });
  expect([moved.status, moved.headers.location, moved.body]).toEqual([308, "https://new.example/a?b=c", ""]);

  const headers = { "x-set": "old", "x-add": "a", "x-gone": "1" };
  const edited = await askThrough(web.podIp, "http://orders/api/items?q=1", { headers });
  const saw = JSON.parse(String(edited.headers["x-saw"])) as Record<string, string>;
  expect(saw).toMatchObject({ url: "/v1/items?q=1", host: "legacy.example", "x-set": "new", "x-add": "a, b" });
  expect(saw["x-gone"]).toBeUndefined();
  expect([edited.headers["x-out"], edited.headers["x-inner"]]).toEqual(["1", undefined]);
});

it("edits each try for its own backend, and never twice", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const seen: unknown[] = [];
  await serve(mesh, "orders", (request, response) => {
    seen.push([request.url, request.headers.host, request.headers["x-add"]]);
    response.writeHead(seen.length < 3 ? 503 : 200).end();
  });
  apply(
    mesh,
    serviceYaml("orders"),
    route(`[{retry: {attempts: 2, codes: [503], backoff: 1ms}, backendRefs: [{name: orders, port: 80, filters: [
      {type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-add, value: b}]}},
      {type: URLRewrite, urlRewrite: {hostname: legacy, path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1}}}]}]}]`),
  );
  const answer = await askThrough(web.podIp, "http://orders/a", { headers: { "x-add": "a" } });
  expect([answer.status, answer.headers["tulle-retried"]]).toEqual([200, "2"]);
  expect(seen).toEqual(Array(3).fill(["/v1/a", "legacy", "a, b"]));
});

it("answers 500 for the share of an invalid backend, and for an unsupported filter", async () => {
  const { mesh, web } = await openShop();
  await using _ = mesh;
  apply(
    mesh,
    services,
    route(`[
      {matches: [{path: {value: /wasm}}], filters: [{type: ExtensionRef}], backendRefs: [{name: orders, port: 80}]},
      {matches: [{path: {value: /none}}]},
      {backendRefs: [{name: nothing, port: 80}, {name: blue, port: 80}]}]`),
  );
  const answers = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const { status, headers, body } = await askThrough(web.podIp, "http://orders/");
    answers.add(`${status} ${String(headers["tulle-error"] ?? body)}`);
  }
  expect([...answers].sort()).toEqual(["200 blue", "500 invalid_route"]);
  for (const path of ["/wasm", "/none"]) {
    const { status, headers } = await askThrough(web.podIp, `http://orders${path}`);
    expect([path, status, headers["tulle-error"]]).toEqual([path, 500, "invalid_route"]);
  }
});

it("routes gRPC by method and metadata, mirrors it, and answers errors in gRPC's form", async () => {
  await using mesh = await TestMesh.open();
  const listenHost = nextPodIp();
  const web = await mesh.sidecar("web", { upstreams: [{ host: "orders", port: 80, listenHost, listenPort: 9001 }] });
  const calls: string[] = [];
  for (const name of ["orders", "blue", "green"])
    await serveGrpc(mesh, name, (method) => calls.push(`${name} ${method}`));
  apply(
    mesh,
    services,
    route(
      `[
      {matches: [{method: {service: shop.Orders}}], backendRefs: [{name: blue, port: 80}],
       filters: [{type: RequestMirror, requestMirror: {backendRef: {name: orders, port: 80}}}]},
      {matches: [{method: {service: shop.Orders, method: List}}, {headers: [{name: x-tester, value: "1"}]}],
       backendRefs: [{name: green, port: 80}]},
      {matches: [{method: {service: shop.Broken}}], backendRefs: [{name: nothing, port: 80}]}]`,
      "GRPCRoute",
    ),
  );
  const client = new grpc.Client(`${listenHost}:9001`, grpc.credentials.createInsecure());
  onTestFinished(() => client.close());
  const call = (method: string, metadata = new grpc.Metadata()) =>
    new Promise<string>((resolve) =>
      client.makeUnaryRequest(method, same, same, Buffer.from("?"), metadata, (error, answer) =>
        resolve(error === null ? String(answer) : grpc.status[error.code]),
      ),
    );
  const tester = new grpc.Metadata();
  tester.set("x-tester", "1");

  expect(await call("/shop.Orders/List")).toBe("green");
  expect(await call("/shop.Orders/Get")).toBe("blue");
  expect(await call("/shop.Other/Any", tester)).toBe("green");
  expect(await call("/shop.Other/Any")).toBe("UNIMPLEMENTED");
  expect(await call("/shop.Broken/Any")).toBe("UNAVAILABLE");
  await eventually(() => mirrorOutcomes(web).includes("answered"));
  expect(calls).toContain("orders /shop.Orders/Get");
  expect(calls.filter((name) => name.startsWith("orders"))).toHaveLength(1);
});

const same = (bytes: Buffer) => bytes;

/** A Service whose pod answers its name to every call. */
async function serveGrpc(mesh: TestMesh, name: string, onCall: (method: string) => void): Promise<void> {
  const { podIp } = await mesh.sidecar(name);
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    onCall(String(headers[":path"]));
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const length = Buffer.alloc(5);
    length.writeUInt32BE(name.length, 1);
    stream.end(Buffer.concat([length, Buffer.from(name)]));
  });
  server.listen(8080, podIp);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  mesh.backend(name, [meshed(podIp, name)]);
}

it("applies a namespace's own routes to its callers", async () => {
  const { mesh, web } = await openShop();
  await using _ = mesh;
  const ofBooks = (yaml: string) => yaml.replaceAll("namespace: shop", "namespace: books");
  const parent = "parentRefs: [{group: '', kind: Service, namespace: books, name: shelf}]";
  apply(
    mesh,
    services,
    ofBooks(serviceYaml("shelf")),
    ofBooks(route("[]").replace("name: orders", "name: shelf")),
    route("[{backendRefs: [{name: blue, port: 80}]}]").replace(/parentRefs: \[[^\]]*\]/, parent),
  );
  expect((await askThrough(web.podIp, "http://shelf.books/")).body).toBe("blue");
});
