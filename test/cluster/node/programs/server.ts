/** Answers with VERSION, and on /who with what it is told of its caller. On SIGTERM it finishes what it has begun. */

import { createServer } from "node:http";

const version = process.env["VERSION"] ?? "v1";
const server = createServer((request, response) => {
  if (request.url === "/healthz") response.end("healthy");
  else if (request.url === "/who") response.end(String(request.headers["tulle-client-id"] ?? "nobody"));
  else response.end(version);
});
server.listen(8_080);
process.once("SIGTERM", () => server.close(() => process.exit(0)));
