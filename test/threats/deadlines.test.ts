/** Deadlines from clients: they may only shorten what policy allows, and requests that are already late go no further. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { get, HEADERS, headers } from "../sidecar/http2/raw-peer.ts";
import { meshed } from "../support/sidecar-pair.ts";
import { AttackedMesh, outboundWays } from "./attacked-mesh.ts";

let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await AttackedMesh.open();
  mesh.application.onData = (socket, text) => {
    if (text.includes("/witness")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  };
  const endpoints = [meshed(mesh.target.podIp, "a")];
  mesh.mesh.service("a", endpoints, { timeout: { connectMs: 1_000, requestMs: 400 } }, "http1");
  await mesh.witness();
});

afterAll(() => mesh[Symbol.asyncDispose]());

const asking = (deadline: string): string => `GET / HTTP/1.1\r\nHost: a\r\ntulle-deadline: ${deadline}\r\n\r\n`;

describe.each(Object.entries(outboundWays))("a deadline that comes by %s", (_way, enter) => {
  it.each(["60S", "99999999H", "1H", "-1m", "1", "1e9m", "1m, 60S", "", "999999999S"])(
    "and reads %j does not lengthen the policy's time",
    async (deadline) => {
      const client = (await enter(mesh)).send(asking(deadline));
      const answer = await client.receive("tulle-error");
      expect(answer).toMatch(/^HTTP\/1\.1 504 /);
      await client.receive("request_timeout");
      expect((await mesh.witness()).toLowerCase()).not.toContain("tulle-deadline");
    },
  );

  it("shortens it", async () => {
    const client = (await enter(mesh)).send(asking("50m"));
    expect(await client.receive("deadline_exceeded")).toMatch(/^HTTP\/1\.1 504 /);
    await mesh.witness();
  });

  it("and is over already stops the request", async () => {
    const client = (await enter(mesh)).send(asking("0m"));
    expect(await client.receive("deadline_exceeded")).toMatch(/^HTTP\/1\.1 504 /);
    expect(await mesh.witness()).toBe("");
  });
});

it("a request that reaches the mesh port too late is answered by the sidecar alone", async () => {
  const peer = mesh.peer(await mesh.link());
  peer.send(headers(1, [...get, ["tulle-deadline", "0m"]]));
  expect(await peer.receiveType(HEADERS, 1)).toBeDefined();
  expect(await mesh.witness()).toBe("");
  peer.socket.destroy();
});
