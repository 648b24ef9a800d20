/** Heads as large as a listener or an application's answer may be: what one codec has let in, no other refuses in the middle. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { block, DATA, get, type Pairs } from "../sidecar/http2/raw-peer.ts";
import { AttackedMesh, http1Ways, http2Ways } from "./attacked-mesh.ts";

const maxFields = 100;
const maxBytes = 32 * 1024;

let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await AttackedMesh.open();
  await mesh.witness();
});

afterAll(() => mesh[Symbol.asyncDispose]());

/** `count` lines, of `bytes` together; each of another name. */
function lines(count: number, bytes: number): string {
  const all = Array.from({ length: count }, (_, i) => `x-${String(i).padStart(3, "0")}: `);
  const each = Math.floor(bytes / count) - "x-000: \r\n".length;
  const rest = bytes % count;
  return all.map((name, i) => `${name}${"v".repeat(each + (i === 0 ? rest : 0))}\r\n`).join("");
}

/** A head of exactly the most bytes and fields, those of `first` among them. */
function largest(first: string, fieldsOfFirst: number): string {
  return `${first}${lines(maxFields - fieldsOfFirst, maxBytes - first.length - 2)}\r\n`;
}

describe.each(Object.entries(http1Ways))("by %s", (_way, enter) => {
  it("the largest head of a request arrives complete", async () => {
    const client = (await enter(mesh)).send(largest("GET / HTTP/1.1\r\nHost: a\r\n", 1));
    expect(await client.receive("\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
    expect((await mesh.witness()).match(/^x-[0-9]{3}: v+\r$/gm)).toHaveLength(maxFields - 1);
    client.socket.destroy();
  });

  it("the largest head of a response arrives complete", async () => {
    const first = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
    const answer = `${largest(first, 1)}ok`;
    mesh.application.onData = (socket, text) =>
      void socket.write(text.includes("/witness") ? `${first}\r\nok` : answer);
    const client = (await enter(mesh)).send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await client.receive("\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.received.match(/^x-[0-9]{3}: v+\r$/gm)).toHaveLength(maxFields - 1);
    client.socket.destroy();
    mesh.application.onData = undefined;
  });
});

it.each(Object.entries(http2Ways))("by %s the largest head of HTTP/2 arrives complete", async (_way, enter) => {
  const peer = await enter(mesh);
  const pseudo: Pairs = get.map(([name, value]) => [name, name === ":authority" ? "a" : value]);
  const left = maxBytes - pseudo.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
  const each = Math.floor(left / maxFields) - "x-000".length - 32;
  const fields = Array.from(
    { length: maxFields },
    (_, i) => [`x-${String(i).padStart(3, "0")}`, "v".repeat(each)] as const,
  );
  peer.sendHead(1, block([...pseudo, ...fields]));
  expect((await peer.receiveType(DATA, 1))?.payload.toString()).toBe("ok");
  expect((await mesh.witness()).match(/^x-[0-9]{3}: v+\r$/gm)).toHaveLength(maxFields);
  peer.socket.destroy();
});
