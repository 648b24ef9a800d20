/** Answers with VERSION, on /who with what it is told of its caller, on /metrics as applications do. On SIGTERM it finishes what it has begun. */

import { createServer, type RequestListener } from "node:http";

const version = process.env["VERSION"] ?? "v1";
const ports = (process.env["PORTS"] ?? "8080").split(",").map(Number);
const answer: RequestListener = (request, response) => {
  if (request.url === "/healthz") response.end("healthy");
  else if (request.url === "/who") response.end(String(request.headers["tulle-client-id"] ?? "nobody"));
  else if (request.url === "/metrics") response.setHeader("content-type", "text/plain").end("scenario_up 1\n");
  else response.end(version);
};
const servers = ports.map((port) => createServer(answer).listen(port));
process.once("SIGTERM", () => {
  for (const server of servers) server.close();
});
