/** Threat 27: what comes late, and what breaks. */

import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { RecordingUpstream } from "../../support/exchange.ts";
import { attackedServer } from "./attacked-server.ts";
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  headers,
  post,
  RST_STREAM,
  uint32,
  WINDOW_UPDATE,
} from "./raw-peer.ts";

const CONNECT_ERROR = 10;

const target = attackedServer();

describe("threat 27: late and broken", () => {
  it("ignores frames that were on their way when it reset the stream", async () => {
    target.service = (_exchange, response) => {
      response.abortResponse(new MeshError("overloaded", "no room"));
      return new RecordingUpstream();
    };
    await target.start();
    target.peer.send(headers(1, post, END_HEADERS));
    expect(await target.peer.resetOf(1)).toBe(2);
    target.peer.send(
      frame(DATA, 0, 1, Buffer.from("late")),
      frame(WINDOW_UPDATE, 0, 1, uint32(5)),
      headers(1, [["x-trailer", "1"]]),
      frame(RST_STREAM, 0, 1, uint32(8)),
    );
    await target.peer.roundTrip();
    expect(target.peer.isClosed).toBe(false);
    expect(target.connection.activeStreams).toBe(0);
  });

  it("forwards nothing of a DATA frame after its stream was reset", async () => {
    const upstream = await target.startWaiting();
    const data = frame(DATA, END_STREAM, 1, Buffer.from("firstsecond"));
    target.peer.send(headers(1, post, END_HEADERS), data.subarray(0, 14));
    await expect.poll(() => upstream.calls).toEqual([["write", "first"]]);
    upstream.response.abortResponse(new MeshError("overloaded", "no room"));
    target.peer.send(data.subarray(14));
    await target.peer.roundTrip();
    expect(upstream.calls).toEqual([["write", "first"]]);
  });

  it("reports the right error when the connection behind a tunnel breaks", async () => {
    const upstream = await target.startWaiting();
    const connect = [
      [":method", "CONNECT"],
      [":authority", "a.test"],
    ] as const;
    target.peer.send(headers(1, connect, END_HEADERS));
    await target.peer.roundTrip();
    upstream.response.head({ status: 200, headers: new HeaderFields(), bodyless: false });
    upstream.response.abortResponse(new MeshError("upstream_closed", "the connection broke"));
    expect(await target.peer.resetOf(1)).toBe(CONNECT_ERROR);
  });

  it("aborts every upstream when the socket breaks", async () => {
    const upstream = await target.startWaiting();
    target.peer.send(headers(1, get), headers(3, post, END_HEADERS), headers(5, get));
    await target.peer.roundTrip();
    target.peer.socket.resetAndDestroy();
    await expect.poll(() => upstream.calls.filter(([name]) => name === "abort").length).toBe(3);
    expect(target.connection.activeStreams).toBe(0);
    expect(target.connection.state).toBe("closed");
  });
});
