/** Says back what it hears: by HTTP and WebSocket on 8080, by gRPC on 7070, and on 9000 by lines, where it speaks first. */

import { createServer } from "node:http";
import net from "node:net";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { type WebSocket, WebSocketServer } from "ws";
import { echoService } from "./echo-service.ts";

const ports = { http: 8_080, grpc: 7_070, lines: 9_000 };

const http = createServer((_request, response) => response.end("hello")).listen(ports.http);
new WebSocketServer({ server: http }).on("connection", (socket: WebSocket) => {
  socket.on("message", (message: Buffer) => socket.send(message.toString()));
});

net
  .createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write("220 ready\n");
    socket.pipe(socket);
  })
  .listen(ports.lines);

const grpc = new Server();
grpc.addService(echoService, {
  Say: ({ request }: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) => answer(null, request),
  Chat: (call: ServerDuplexStream<string, string>) => {
    call.on("data", (message: string) => call.write(message));
    call.on("end", () => call.end());
  },
});
grpc.bindAsync(`0.0.0.0:${ports.grpc}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
process.once("SIGTERM", () => process.exit(0));
