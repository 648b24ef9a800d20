/**
 * A process that moves bytes through a chain: `node tcp-load.ts HOST PORT down|up SECONDS CONNECTIONS`. It prints how many it
 * moved.
 */

import net from "node:net";

const [host = "", port, direction = "down", seconds, connections] = process.argv.slice(2);
const chunk = Buffer.alloc(64 * 1024, "tulle");
const sockets = Array.from({ length: Number(connections) }, () => net.connect({ host, port: Number(port) }));

function pour(socket: net.Socket): void {
  while (!socket.destroyed && socket.write(chunk));
}

for (const socket of sockets) {
  socket.write(direction.padEnd(4));
  socket.resume();
  if (direction !== "up") continue;
  socket.on("drain", () => pour(socket));
  pour(socket);
}

setTimeout(() => {
  // Bytes still buffered in this process have not been moved.
  const moved = (socket: net.Socket) =>
    direction === "up" ? socket.bytesWritten - socket.writableLength : socket.bytesRead;
  console.log(sockets.reduce((sum, socket) => sum + moved(socket), 0));
  process.exit(0);
}, Number(seconds) * 1_000);
