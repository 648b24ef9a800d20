/**
 * One connection to a port on a pod's loopback, through the API server and kubelet, as `kubectl port-forward` opens them. It
 * requires permission to create `pods/portforward` there, and there is no other way in.
 */

import { Duplex, PassThrough } from "node:stream";
import { type KubeConfig, PortForward } from "@kubernetes/client-node";
import type { PodRef } from "./cluster.ts";

const openWithinMs = 15_000;

/** Rejects with a one-line error if it is refused. A later failure, such as nobody listening there, destroys the connection. */
export async function connectToPod(config: KubeConfig, { namespace, name }: PodRef, port: number): Promise<Duplex> {
  const [fromPod, toPod, complaints] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const opening = new PortForward(config).portForward(namespace, name, [port], fromPod, complaints, toPod);
  const socket = await within(openWithinMs, opening).catch((error: unknown) => {
    throw new Error(`no way to port ${port} of pod ${namespace}/${name}: ${reasonOf(error)}`, { cause: error });
  });
  if (typeof socket === "function") throw new Error("a connection that restarts by itself was not asked for");
  const connection = new Duplex({
    read: () => void fromPod.resume(),
    write: (chunk: Buffer, _encoding, done) => void toPod.write(chunk, done),
    // This kind of connection can't be half closed: what the pod still sends is lost.
    final: (done) => void toPod.end(done),
    destroy(error, done) {
      socket.close();
      done(error);
    },
  });
  fromPod.on("data", (chunk: Buffer) => {
    if (!connection.push(chunk)) fromPod.pause();
  });
  fromPod.on("end", () => connection.push(null));
  socket.addEventListener("close", () => fromPod.end());
  complaints.on("data", (text: Buffer) => {
    connection.destroy(new Error(`port ${port} of pod ${namespace}/${name}: ${text.toString("utf8").trim()}`));
  });
  return connection;
}

async function within<T>(ms: number, done: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A refused WebSocket comes as an event, not as an error: `Unexpected server response: 403`. */
function reasonOf(error: unknown): string {
  const message = typeof error === "object" && error !== null && "message" in error ? String(error.message) : "";
  if (message.endsWith("Unexpected server response: 403"))
    return "you may not forward ports there (create pods/portforward)";
  if (message.endsWith("Unexpected server response: 404")) return "there is no such pod";
  return message === "" ? String(error) : message;
}
