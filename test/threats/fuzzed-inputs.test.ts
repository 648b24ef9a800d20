/**
 * Everything that fuzzing has found, sent to real sidecars by every way in. Behind them is a parser that is not ours: what the
 * mesh lets through has only one reading there, too.
 */

import http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCorpus } from "../fuzz/target.ts";
import { http1Request } from "../fuzz/targets/http1-request.ts";
import { http2Frames } from "../fuzz/targets/http2-frames.ts";
import { AttackedMesh, http1Ways, http2Ways } from "./attacked-mesh.ts";

let mesh: AttackedMesh;
/** What the other parser has refused, but for requests that broke off. */
const refused: string[] = [];
const application = http.createServer({ keepAliveTimeout: 0, requireHostHeader: false }, (request, response) => {
  request.resume().on("end", () => response.end("ok"));
});

beforeAll(async () => {
  application.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code !== "HPE_INVALID_EOF_STATE" && error.code !== "ECONNRESET") refused.push(String(error));
    socket.destroy();
  });
  // Where the corpus names hosts, nobody is to look for them.
  mesh = await AttackedMesh.open("http1", { outside: "deny" });
  mesh.application.serve = (socket) => void application.emit("connection", socket);
  await mesh.witness();
});

afterAll(() => mesh[Symbol.asyncDispose]());

describe.each(Object.entries(http1Ways))("%s", (_way, enter) => {
  it.each([...readCorpus(http1Request)])("survives %s", async (_name, input) => {
    const client = await enter(mesh);
    client.socket.write(input);
    await mesh.witness();
    client.socket.end();
    await client.closed;
    expect(refused).toEqual([]);
  });
});

describe.each(Object.entries(http2Ways))("%s", (_way, enter) => {
  it.each([...readCorpus(http2Frames)])("survives %s", async (_name, input) => {
    const peer = await enter(mesh);
    peer.send(input);
    await mesh.witness();
    peer.socket.end();
    await peer.closed;
    expect(refused).toEqual([]);
  });
});

it("has not cost anyone else their link", async () => {
  await mesh.witness();
  expect(mesh.linksMade).toBe(1);
});
