/**
 * Answers with VERSION, on /who with what it is told of its caller, on /metrics as applications do; counts the POSTs that it
 * takes, for LEDGER; talks by gRPC on TALK_PORT. On SIGTERM it finishes what it has begun.
 */

import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { listenOn } from "./listener.ts";
import { Tally } from "./tally.ts";

const version = process.env["VERSION"] ?? "v1";
const ports = (process.env["PORTS"] ?? "8080").split(",").map(Number);
const talkPort = process.env["TALK_PORT"];
const ledger = process.env["LEDGER"];
const tally = ledger === undefined ? undefined : new Tally(ledger);

const answer: RequestListener = (request, response) => {
  if (request.url === "/healthz") response.end("healthy");
  else if (request.url === "/who") response.end(String(request.headers["tulle-client-id"] ?? "nobody"));
  else if (request.url === "/metrics") response.setHeader("content-type", "text/plain").end("scenario_up 1\n");
  else if (request.method === "POST") {
    let id = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      id += chunk;
    });
    request.on("end", () => {
      tally?.count(id);
      response.end(version);
    });
  } else response.end(version);
};

const servers = ports.map((port) => createServer(answer).listen(port));
const leave = talkPort === undefined ? () => {} : listenOn(Number(talkPort), version);

process.once("SIGTERM", () => {
  leave();
  const closed = servers.map((server) => once(server.close(), "close"));
  void Promise.all(closed).then(() => tally?.close());
});
