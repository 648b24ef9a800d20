/** A process that accepts spans over OTLP and discards them: `node otlp-receiver.ts HOST PORT`. */

import { createServer } from "node:http";

const [host, port] = process.argv.slice(2);
createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
}).listen(Number(port), host);
