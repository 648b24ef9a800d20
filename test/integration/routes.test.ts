/** Routes as their authors write them, compiled, and carried out between two sidecars over real sockets. */

import { once } from "node:events";
import type http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import * as grpc from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { Pipeline } from "../../control-plane/pipeline.ts";
import { eventually } from "../support/eventually.ts";
import { changeOf, serviceYaml } from "../support/manifests.ts";
import { askThrough, meshed, nextPodIp, TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";

function apply(mesh: TestMesh, ...yaml: string[]): void {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  pipeline.apply(changeOf(yaml.join("\n---\n")));
  for (const { resource } of pipeline.snapshot.list("destination")) mesh.resources.set(resource);
}

function route(rules: string, kind = "HTTPRoute"): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, metadata: {namespace: shop, name: r},
    spec: {parentRefs: [{group: "", kind: Service, name: orders}], rules: ${rules}}}`;
}

function split(spec: string): string {
  return `{apiVersion: tulle.dev/v1alpha1, kind: TrafficSplit, metadata: {namespace: shop, name: orders}, spec: ${spec}}`;
}

/** A Service, with a pod that answers its name and what it saw. */
async function serve(mesh: TestMesh, name: string, listener: http.RequestListener = answerWith(name)): Promise<void> {
  const { podIp } = await mesh.sidecar(name);
  await mesh.application(podIp, listener);
  mesh.backend(name, [meshed(podIp, name)]);
}

function answerWith(name: string): http.RequestListener {
  return (request, response) => {
    response.setHeader("x-saw", JSON.stringify({ url: request.url, ...request.headers }));
    response.setHeader("x-inner", "1");
    response.end(name);
  };
}

const services = ["orders", "blue", "green"].map((name) => serviceYaml(name)).join("");

async function openShop(): Promise<{ mesh: TestMesh; web: TestSidecar }> {
  const mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  for (const name of ["orders", "blue", "green"]) await serve(mesh, name);
  return { mesh, web };
}

it("sends each request by the most special match: path, expression, query, method, headers and host", async () => {
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

it("edits each try for its backend anew, and never twice", async () => {
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

it("answers 500 for the share of a backend that may not be used, and for a filter that it does not have", async () => {
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

it("routes gRPC by method and metadata, mirrors it, and answers as gRPC wants it", async () => {
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

it("gives callers of a namespace the routes that it has made for itself", async () => {
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

it("flips from blue to green and back under load without a failed request", async () => {
  const { mesh, web } = await openShop();
  await using _ = mesh;
  const weigh = (blue: number, green: number) =>
    apply(
      mesh,
      services,
      split(`{service: orders, backends: [{service: blue, weight: ${blue}}, {service: green, weight: ${green}}]}`),
    );
  weigh(100, 0);

  const answers: string[] = [];
  let running = true;
  const clients = Array.from({ length: 8 }, async () => {
    while (running) {
      const { status, body } = await askThrough(web.podIp, "http://orders/", { method: "POST", body: "order" });
      answers.push(`${status} ${body}`);
    }
  });
  for (let flip = 0; flip < 10; flip++) {
    const [to, before] = [flip % 2 === 0 ? "200 green" : "200 blue", answers.length];
    weigh(flip % 2 === 0 ? 0 : 100, flip % 2 === 0 ? 100 : 0);
    // Eight may have been under way; all later ones go where the weights say.
    await eventually(() => answers.length > before + 50);
    expect(new Set(answers.slice(before + 8, before + 50))).toEqual(new Set([to]));
  }
  running = false;
  await Promise.all(clients);
  expect([...new Set(answers)].sort()).toEqual(["200 blue", "200 green"]);
}, 20_000);

it("keeps clients where they are while weights change, and moves only those it must", async () => {
  const { mesh, web } = await openShop();
  await using _ = mesh;
  const weigh = (blue: number, green: number) =>
    apply(
      mesh,
      services,
      split(`{service: orders, sticky: {by: cookie, name: user},
        backends: [{service: blue, weight: ${blue}}, {service: green, weight: ${green}}]}`),
    );
  const users = Array.from({ length: 40 }, (_, i) => `user-${i}`);
  const ask = (user: string) => askThrough(web.podIp, "http://orders/", { headers: { cookie: `a=b; user=${user}` } });
  const homes = async () => Promise.all(users.map(async (user) => (await ask(user)).body));

  weigh(50, 50);
  const before = await homes();
  expect(await homes()).toEqual(before);
  expect(new Set(before)).toEqual(new Set(["blue", "green"]));
  weigh(25, 50);
  const after = await homes();
  expect(after.every((home, i) => home === before[i] || before[i] === "blue")).toBe(true);
  weigh(0, 50);
  expect(new Set(await homes())).toEqual(new Set(["green"]));
});

it("copies requests whole, and the caller never feels it", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const body = Buffer.alloc(200_000, "0123456789");
  const copies: string[] = [];
  await serve(mesh, "orders", (request, response) => void request.pipe(response));
  await serve(mesh, "blue", (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      copies.push(`${request.method} ${request.url} ${Buffer.concat(chunks).equals(body)}`);
      response.writeHead(500).end("never seen");
    });
  });
  apply(mesh, services, split("{service: orders, backends: [{service: orders}], mirror: {service: blue}}"));

  const answer = await askThrough(web.podIp, "http://orders/a?b", { method: "POST", body });
  expect([answer.status, Buffer.from(answer.body).equals(body)]).toEqual([200, true]);
  await eventually(() => copies.length === 1);
  expect(copies).toEqual(["POST /a?b true"]);
  await eventually(() => mirrorOutcomes(web).includes("answered"));
  // Not retried, whatever became of it.
  expect(copies).toHaveLength(1);
});

function mirrorOutcomes({ metrics }: TestSidecar): string[] {
  return metrics.mirrors.labelSets.all.map(({ outcome }) => outcome ?? "");
}

it("lets no mirror that hangs, or is not there, hold up a request", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  await serve(mesh, "orders");
  const hung: http.IncomingMessage[] = [];
  await serve(mesh, "blue", (request) => void hung.push(request));
  mesh.backend("green", []);
  apply(
    mesh,
    services,
    route(`[{backendRefs: [{name: orders, port: 80}], filters: [
      {type: RequestMirror, requestMirror: {backendRef: {name: blue, port: 80}}},
      {type: RequestMirror, requestMirror: {backendRef: {name: green, port: 80}}}]}]`),
  );

  const many = Array.from({ length: 120 }, () => askThrough(web.podIp, "http://orders/"));
  expect(new Set((await Promise.all(many)).map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(mirrorOutcomes(web))).toEqual(new Set(["crowded", "failed"]));
});

it("gives up the copy of a body that the mirror does not take", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  await serve(mesh, "orders", (request, response) => void request.pipe(response));
  const hung: http.IncomingMessage[] = [];
  await serve(mesh, "blue", (request) => void hung.push(request));
  apply(mesh, services, split("{service: orders, backends: [{service: orders}], mirror: {service: blue}}"));
  // More than all buffers on the way can hold, the kernel's among them.
  const body = Buffer.alloc(40_000_000, "x");

  const answer = await askThrough(web.podIp, "http://orders/", { method: "PUT", body });

  expect([answer.status, answer.body.length]).toEqual([200, body.length]);
  expect(mirrorOutcomes(web)).toEqual(["slow"]);
  expect(hung).toHaveLength(1);
  await expect(Promise.all(hung.map((request) => once(request.resume(), "end")))).rejects.toThrow("aborted");
});

it("copies no request that is late already", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const arrived: string[] = [];
  for (const name of ["orders", "shadow"]) {
    const { podIp } = await mesh.sidecar(name);
    await mesh.application(podIp, (request, response) => {
      arrived.push(`${name} ${request.url}`);
      response.end();
    });
    const mirrors = [
      { endpoints: "shadow.shop.svc.cluster.local:80", service: { namespace: "shop", name: "shadow" }, percent: 100 },
    ];
    mesh.service(name, [meshed(podIp, name)], name === "orders" ? { mirrors } : {});
  }
  const late = await askThrough(web.podIp, "http://orders/late", { headers: { "tulle-deadline": "0m" } });
  expect([late.status, late.headers["tulle-error"]]).toEqual([504, "deadline_exceeded"]);
  expect((await askThrough(web.podIp, "http://orders/")).status).toBe(200);
  await eventually(() => arrived.length === 2);
  expect(arrived.sort()).toEqual(["orders /", "shadow /"]);
});

it("splits opaque TCP by weight, connection by connection, and follows a flip", async () => {
  const { mesh, web } = await openShop();
  for (const name of ["blue", "green"]) {
    const { podIp } = await mesh.sidecar(name);
    const server = net.createServer((socket) => void socket.on("data", () => socket.end(name)));
    server.listen(8080, podIp);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    mesh.backend(name, [meshed(podIp, name)], { protocol: "opaque" });
  }
  const port = "port: 80, targetPort: 8080, appProtocol: tulle.dev/opaque";
  const opaque = ["orders", "blue", "green"].map((name) => serviceYaml(name, port)).join("");
  const weighted = (blue: number, green: number) =>
    split(`{service: orders, backends: [{service: blue, weight: ${blue}}, {service: green, weight: ${green}}]}`);
  apply(mesh, opaque, weighted(100, 0));
  expect(new Set(await dialTimes(web, 10))).toEqual(new Set(["blue"]));
  apply(mesh, opaque, weighted(0, 100));
  expect(new Set(await dialTimes(web, 10))).toEqual(new Set(["green"]));
  apply(mesh, opaque, weighted(50, 50));
  expect(new Set(await dialTimes(web, 40))).toEqual(new Set(["blue", "green"]));
});

/** Who answered each of so many connections, tunnelled by CONNECT. */
async function dialTimes({ podIp }: TestSidecar, times: number): Promise<string[]> {
  const answers: string[] = [];
  for (let i = 0; i < times; i++) {
    const socket = net.connect({ host: podIp, port: 15_001 });
    socket.write("CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\n\r\n");
    expect(String(await once(socket, "data"))).toMatch(/^HTTP\/1\.1 200 /);
    socket.write("\u0001hello");
    answers.push(String(await once(socket, "data")));
    socket.destroy();
  }
  return answers;
}
