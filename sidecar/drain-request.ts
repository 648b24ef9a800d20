/**
 * How a pod's preStop hook, `drain.ts`, tells the sidecar that the pod is about to end. The hook must return at once, so that
 * the application gets its SIGTERM; the sidecar lives on until the application has exited.
 *
 * It uses a socket in the state folder, which no other container mounts and which is gone when the sidecar exits.
 */

import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";

const socketName = "drain.sock";
const answer = "draining\n";
const answerWithinMs = 2_000;

/** Calls `asked` at each request. Rejects if no socket can be made in the folder: its path is longer than about 90 bytes. */
export async function takeDrainRequests(stateFolder: string, asked: () => void): Promise<{ close(): void }> {
  await mkdir(stateFolder, { recursive: true });
  const path = join(stateFolder, socketName);
  await rm(path, { force: true }); // left by a sidecar that was killed
  const server = net.createServer((socket) => {
    asked();
    socket.on("error", () => {}); // the hook does not wait for the answer
    socket.end(answer);
  });
  server.listen(path).unref();
  await once(server, "listening");
  return { close: () => server.close() };
}

/** Rejects if no sidecar of that state folder runs, or if it does not answer. */
export async function askToDrain(stateFolder: string): Promise<void> {
  const socket = net.connect(join(stateFolder, socketName));
  socket.setTimeout(answerWithinMs, () => socket.destroy(new Error(`no answer within ${answerWithinMs} ms`)));
  let received = "";
  for await (const chunk of socket) received += String(chunk);
  if (received !== answer) throw new Error(`the sidecar answered ${JSON.stringify(received)}`);
}
