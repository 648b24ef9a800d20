/**
 * Stands in for `registry.k8s.io/gateway-api/echo-advanced`: answers each request with what it saw of it, one `Name=value` a
 * line, over HTTP on 8080, gRPC on 7070 and plain TCP on 9090. Its arguments are those of the original, and it needs none.
 */

import { createServer } from "node:http";
import net from "node:net";
import { hostname } from "node:os";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { echoMethod } from "./method.ts";

const ports = { http: 8_080, grpc: 7_070, tcp: 9_090 };

createServer((request, response) => {
  request.resume();
  const { rawHeaders, headers, method = "", url = "", httpVersion } = request;
  const names = rawHeaders.filter((_, index) => index % 2 === 0);
  const values = rawHeaders.filter((_, index) => index % 2 === 1);
  const lines = [
    `ServicePort=${ports.http}`,
    `Host=${headers.host ?? ""}`,
    `URL=${url}`,
    `Method=${method}`,
    `Proto=HTTP/${httpVersion}`,
    ...names.map((name, index) => `RequestHeader=${name}:${values[index]}`),
    `Hostname=${hostname()}`,
  ];
  response.end(`${lines.join("\n")}\n`);
}).listen(ports.http);

net
  .createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  })
  .listen(ports.tcp);

const grpc = new Server();
grpc.addService(
  { Echo: echoMethod },
  {
    Echo: ({ metadata }: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) => {
      const fields = Object.entries(metadata.getMap()).map(([name, value]) => `RequestHeader=${name}:${String(value)}`);
      answer(null, [`ServicePort=${ports.grpc}`, ...fields, `Hostname=${hostname()}`].join("\n"));
    },
  },
);
grpc.bindAsync(`0.0.0.0:${ports.grpc}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
process.once("SIGTERM", () => process.exit(0));
