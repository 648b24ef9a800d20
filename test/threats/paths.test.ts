/** Paths with two readings against access rules and routes, on every way in. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AccessRules } from "../../model/policy.ts";
import { END_HEADERS, END_STREAM, get, HEADERS, headers, type Pairs } from "../sidecar/http2/raw-peer.ts";
import { meshed } from "../support/sidecar-pair.ts";
import { AttackedMesh, http1Ways, http2Ways } from "./attacked-mesh.ts";
import { otherForms, secondReadings } from "./path-tricks.ts";

const tricks = [...otherForms, ...secondReadings];
let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await AttackedMesh.open("detect");
  await mesh.witness();
});

afterAll(() => mesh[Symbol.asyncDispose]());

function setRule(rule: "deny /admin" | "none"): void {
  const paths = [{ kind: "prefix", value: "/admin" } as const];
  const deny: AccessRules = { action: "deny", mode: "enforce", rules: [{ from: [], methods: [], paths }] };
  const access = rule === "none" ? {} : { access: [{ name: "shop/deny", ...deny }] };
  const ports = [{ port: 8080, protocol: "detect" as const, ...access }];
  mesh.mesh.resources.set({ kind: "inbound", value: { name: "shop/a", ports } });
}

const asking = (path: string): Pairs =>
  get.map(([name, value]) => [name, name === ":path" ? path : name === ":authority" ? "a" : value] as const);

describe.each(Object.entries(http1Ways))("%s", (_way, enter) => {
  it.each(tricks)("does not let %s past a rule about /admin", async (path) => {
    setRule("deny /admin");
    const client = (await enter(mesh)).send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const answer = await client.receive("path_ambiguous");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(await mesh.witness()).toBe("");
    client.socket.destroy();
  });

  it("forwards the original bytes if no rule compares paths", async () => {
    setRule("none");
    const client = await enter(mesh);
    for (const path of tricks) {
      client.received = "";
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.receive("\r\n\r\nok");
      expect(await mesh.witness()).toMatch(`GET ${path} HTTP/1.1\r\n`);
    }
    client.socket.destroy();
  });
});

describe.each(Object.entries(http2Ways))("%s", (_way, enter) => {
  it.each(tricks)("does not let %s past a rule about /admin, by HTTP/2", async (path) => {
    setRule("deny /admin");
    const peer = await enter(mesh);
    peer.send(headers(1, asking(path), END_HEADERS | END_STREAM));
    expect(await peer.receiveType(HEADERS, 1)).toBeDefined();
    expect(await mesh.witness()).toBe("");
    peer.socket.destroy();
  });
});

it("routes every form of a path like its plain one", async () => {
  setRule("none");
  const service = { namespace: "shop", name: "a" };
  const endpoints = "a.shop.svc.cluster.local:80";
  const timeout = { connectMs: 1_000 };
  const closed = { endpoints, service, weight: 1, invalid: "closed" };
  const destination = mesh.mesh.resources.get("destination", endpoints);
  if (destination?.kind !== "destination") throw new Error("nothing is dialled");
  const matches = [{ path: { kind: "prefix" as const, value: "/admin" } }];
  const routes = [{ name: "admin", matches, backends: [closed], timeout }, ...destination.value.routes];
  mesh.mesh.resources.set({ kind: "destination", value: { ...destination.value, routes } });
  for (const path of ["/admin", ...otherForms]) {
    const client = mesh.upstream().send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(await client.receive("tulle-error")).toMatch(/^HTTP\/1\.1 500 [^]*invalid_route/);
    client.socket.destroy();
  }
  expect(await mesh.witness()).toBe("");
  mesh.mesh.service("a", [meshed(mesh.target.podIp, "a")]);
});
