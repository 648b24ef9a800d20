/**
 * Upstreams out of step, behind either end of the mesh: 502, their connection is closed, and nobody else sees a byte of theirs.
 */

import { once } from "node:events";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { desyncs, ok } from "../sidecar/http1/hostile-answers.ts";
import { nextPodIp } from "../support/sidecar-pair.ts";
import { untilClosed } from "../support/sockets.ts";
import { AttackedMesh } from "./attacked-mesh.ts";

const hints = "HTTP/1.1 103 Early Hints\r\n\r\n";

let mesh: AttackedMesh;
let outside: net.Server;
const outsideHost = nextPodIp();
/** What the upstream answers to `/evil`. */
let evil = "";
/** The upstream's connections on which `/evil` came. */
const hostile: net.Socket[] = [];

/** All of the upstreams' connections that are open. */
const connections = new Set<net.Socket>();

function answer(socket: net.Socket, text: string): void {
  connections.add(socket);
  socket.on("close", () => connections.delete(socket));
  if (!text.includes(" /evil ")) {
    socket.write(ok);
    return;
  }
  hostile.push(socket);
  socket.write(evil);
}

beforeAll(async () => {
  mesh = await AttackedMesh.open();
  mesh.application.onData = answer;
  outside = net.createServer((socket) => {
    socket.on("error", () => {}); // cut by the mesh
    socket.on("data", (chunk) => answer(socket, chunk.toString("latin1")));
  });
  outside.listen(8080, outsideHost);
  await once(outside, "listening");
});

afterAll(async () => {
  outside.close();
  await mesh[Symbol.asyncDispose]();
});

describe.each([
  ["the application of a pod in the mesh", "a"],
  ["a server outside of the mesh", `${outsideHost}:8080`],
])("%s", (_name, host) => {
  const request = (method: string, path: string) => `${method} http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

  it.each(Object.entries(desyncs))("that answers with %s", async (_what, { text, method = "GET" }) => {
    evil = text;
    hostile.length = 0;
    const client = mesh.forwardProxy().send(request(method, "/evil"));
    await client.receive((received) => /HTTP\/1\.1 [2-5]/.test(received));
    const [connection] = hostile;
    if (connection?.closed === false) await untilClosed(connection);
    const received = client.received.replaceAll(hints, "");
    expect(received).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(received).toContain("tulle-error: bad_response");
    expect(received).not.toContain("evil");

    const other = mesh.forwardProxy().send(request("GET", "/other"));
    expect(await other.receive("\r\n\r\nok")).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(hostile).toHaveLength(1);
  });

  it("whose response comes before any request is never called again on that connection", async () => {
    const client = mesh.forwardProxy().send(request("GET", "/first"));
    await client.receive("\r\n\r\nok");
    const cut = [...connections].map((socket) => untilClosed(socket));
    for (const socket of connections) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    await Promise.all(cut);
    client.received = "";
    client.send(request("GET", "/second"));
    expect(await client.receive("\r\n\r\nok")).not.toContain("evil");
  });
});
