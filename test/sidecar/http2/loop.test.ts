import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { connectPair, echo, type Pair, send } from "./peers.ts";

describe("our client and our server", () => {
  let pair: Pair;

  beforeEach(async () => {
    pair = await connectPair(echo);
  });

  afterEach(() => pair.close());

  it("carries a request without body", async () => {
    const answer = send(pair.client.request, { path: "/a?b=c" });
    expect(await answer.ended).toBeUndefined();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-path")).toBe("/a?b=c");
    expect(answer.isBodyless).toBe(true);
  });

  it("carries body and trailers both ways", async () => {
    const trailers = new HeaderFields(["grpc-status", "0"]);
    const answer = send(pair.client.request, { method: "POST" }, Buffer.from("hello"), trailers);
    expect(await answer.ended).toBeUndefined();
    expect(answer.body.toString()).toBe("hello");
    expect(answer.trailers?.flat).toEqual(["grpc-status", "0"]);
  });

  it("carries 10 MiB both ways", async () => {
    const body = randomBytes(10 * 1024 * 1024);
    const answer = send(pair.client.request, { method: "POST" }, body);
    expect(await answer.ended).toBeUndefined();
    expect(answer.body.equals(body)).toBe(true);
  });

  it("carries 1,000 requests, 100 at a time", async () => {
    let started = 0;
    const answers: Promise<string | undefined>[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const open = (): void => {
      while (started < 1000 && pair.client.canOpenStream && pair.client.activeStreams < 100) {
        const path = `/n${started++}`;
        const answer = send(pair.client.request, { path, method: "POST" }, Buffer.from(path));
        answers.push(answer.ended.then(() => (answer.body.toString() === path ? answer.headers.get("x-path") : "?")));
      }
      if (started === 1000) resolve();
    };
    pair.client.onStreamSlot = open;
    open();
    await promise;
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 1000 }, (_, i) => `/n${i}`));
    expect(pair.server.openedStreams).toBe(1000);
    expect([pair.client.activeStreams, pair.server.activeStreams]).toEqual([0, 0]);
  });
});
