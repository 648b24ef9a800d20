/**
 * The other end of long gRPC streams: says back what it hears, with its version before it. When it is to go, it says so, and
 * ends each stream once its caller has said all: with an answer to each word.
 */

import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { frame, leaving, readFrames } from "./frames.ts";

/** Returns what ends it. */
export function listenOn(port: number, version: string): () => void {
  const sessions = new Set<ServerHttp2Session>();
  const streams = new Set<ServerHttp2Stream>();
  const server = createServer().listen(port);
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {}); // its streams say it too
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream) => {
    streams.add(stream);
    stream.once("close", () => streams.delete(stream));
    stream.on("error", () => {}); // the caller is gone, and knows
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.on(
      "data",
      readFrames((text) => stream.write(frame(`${version} ${text}`))),
    );
    stream.once("end", () => stream.end());
  });
  return () => {
    server.close();
    for (const stream of streams) stream.write(frame(leaving));
    for (const session of sessions) session.close();
  };
}
