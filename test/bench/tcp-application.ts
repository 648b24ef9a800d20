/**
 * A process that sends or receives bytes at full speed: `node tcp-application.ts HOST PORT`. The first four bytes of a
 * connection say what it wants: after `down` it is sent bytes until it closes, after `up ` its bytes are discarded.
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
