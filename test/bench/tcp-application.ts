/**
 * A process that sends or takes bytes as fast as they go: `node tcp-application.ts HOST PORT`.
 * A connection says what it wants in its first four bytes: `down` is sent bytes until it closes, the bytes of `up ` vanish.
 */

import { createServer, type Socket } from "node:net";

const [host, port] = process.argv.slice(2);
const chunk = Buffer.alloc(64 * 1024, "tulle");

function pour(socket: Socket): void {
  while (!socket.destroyed && socket.write(chunk));
}

createServer((socket) => {
  socket.on("error", () => {}); // whoever measured has gone
  socket.once("data", (first: Buffer) => {
    socket.resume();
    if (first.toString("latin1", 0, 4) !== "down") return;
    socket.on("drain", () => pour(socket));
    pour(socket);
  });
}).listen(Number(port), host);
