/** Mirrored requests, which must never affect the caller. */

import { once } from "node:events";
import type http from "node:http";
import { expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";
import { apply, mirrorOutcomes, route, serve, services, split } from "./routed-shop.ts";

it("copies complete requests without affecting the caller", async () => {
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

it("is not held up by a mirror that hangs or does not exist", async () => {
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

it("gives up the copy of a body that the mirror does not read", async () => {
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

it("does not copy a request that is already late", async () => {
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
