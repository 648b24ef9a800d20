/** Frames that make work and carry nothing, on every way in for HTTP/2: the connection ends, and everyone else is served. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AttackedMesh, http2Ways } from "./attacked-mesh.ts";
import { floods } from "./flood-frames.ts";

const ENHANCE_YOUR_CALM = 11;

let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await AttackedMesh.open();
  await mesh.witness();
});

afterAll(() => mesh[Symbol.asyncDispose]());

describe.each(Object.entries(http2Ways))("%s calms", (_way, enter) => {
  it.each(Object.entries(floods))("%s", async (_name, bytes) => {
    const peer = await enter(mesh);
    peer.send(bytes);
    await mesh.witness();
    expect(await peer.goawayCode()).toBe(ENHANCE_YOUR_CALM);
    await peer.closed;
    await mesh.witness();
    expect(mesh.linksMade).toBe(1);
  });
});
