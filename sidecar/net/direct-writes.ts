/**
 * Writes to a TCP connection by its libuv handle, bypassing Node's streams: a small write, which the kernel takes at once,
 * then costs one call and no object. What the handle can't write in order (the socket is not connected yet, or its stream
 * still holds something) goes through the stream.
 *
 * The handle is Node's own: it is used only after `proveDirectWrites` has seen it work, and never over TLS.
 */

import { once } from "node:events";
import type net from "node:net";
import { getSystemErrorName } from "node:util";
import { worksOnLoopback } from "./loopback-trial.ts";

interface WriteRequest {
  oncomplete: ((status: number) => void) | undefined;
}

interface WriteHandle {
  /** 0, or the negative number of an error. */
  writeBuffer(request: WriteRequest, chunk: Buffer): number;
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kLastWriteWasAsync: number;
}

let proven: StreamBinding | undefined;
/** Free request objects: one that the kernel took at once can be used again. */
let spareRequest: WriteRequest | undefined;

/** Tests direct writes on a loopback connection of its own. Streams are used unless this has resolved to true. */
export async function proveDirectWrites(): Promise<boolean> {
  proven = findBinding();
  if (proven === undefined) return false;
  if (!(await worksOnLoopback(inOrder))) proven = undefined;
  return proven !== undefined;
}

/** Whether two writes arrive in order, and the end after them. */
async function inOrder(client: net.Socket, accepted: net.Socket, patience: AbortSignal): Promise<boolean> {
  if (client.connecting) await once(client, "connect", { signal: patience });
  const writer = new DirectWriter(client);
  const writes = ["tul", "le"].map((text) => writer.write(Buffer.from(text), () => {}));
  client.end();
  let received = "";
  accepted.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1");
  });
  await once(accepted, "end", { signal: patience });
  return received === "tulle" && writes.every((write) => write === "taken");
}

function findBinding(): StreamBinding | undefined {
  const open: unknown = Reflect.get(process, "binding");
  if (typeof open !== "function") return undefined;
  try {
    const found: unknown = open.call(process, "stream_wrap");
    return isStreamBinding(found) ? found : undefined;
  } catch {
    return undefined; // a version of Node that no longer has it
  }
}

function isStreamBinding(found: unknown): found is StreamBinding {
  if (typeof found !== "object" || found === null) return false;
  if (!("WriteWrap" in found && "streamBaseState" in found && "kLastWriteWasAsync" in found)) return false;
  const { WriteWrap, streamBaseState, kLastWriteWasAsync } = found;
  const isState = streamBaseState instanceof Int32Array && typeof kLastWriteWasAsync === "number";
  return typeof WriteWrap === "function" && isState;
}

function isTcpHandle(handle: unknown): handle is WriteHandle {
  return typeof handle === "object" && handle?.constructor.name === "TCP" && "writeBuffer" in handle;
}

/** `taken`: by the kernel, or lost because the socket was destroyed. `queued`: `written` is called once it is taken. */
export type DirectWrite = "taken" | "queued" | "not-now";

export class DirectWriter {
  readonly #socket: net.Socket;
  #handle: WriteHandle | undefined;
  #isPossible = true;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  /** `chunk` must not change until it is taken. Writes are taken in order, including those through the stream. */
  write(chunk: Buffer, written: () => void): DirectWrite {
    const socket = this.#socket;
    if (proven === undefined || !this.#isPossible || socket.connecting || socket.writableLength > 0 || !socket.writable)
      return "not-now";
    const handle = this.#handle ?? this.#findHandle();
    if (handle === undefined) return "not-now";
    const request = spareRequest ?? new proven.WriteWrap();
    spareRequest = undefined;
    const error = handle.writeBuffer(request, chunk);
    if (error < 0) {
      socket.destroy(writeError(error));
      return "taken";
    }
    if (proven.streamBaseState[proven.kLastWriteWasAsync] !== 0) {
      request.oncomplete = (status) => {
        if (status < 0) socket.destroy(writeError(status));
        written();
      };
      return "queued";
    }
    spareRequest = request;
    return "taken";
  }

  /** The result is final once the socket is connected. */
  #findHandle(): WriteHandle | undefined {
    const handle: unknown = Reflect.get(this.#socket, "_handle");
    if (isTcpHandle(handle)) this.#handle = handle;
    else this.#isPossible = false;
    return this.#handle;
  }
}

function writeError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: "write" });
}
