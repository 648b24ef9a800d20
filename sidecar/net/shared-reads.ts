/**
 * Reads from all sockets into one buffer. By rule 2 of `exchange.ts` a chunk belongs to its receiver only during the call,
 * so a new buffer per read is waste: in a sidecar that moves bulk data, two fifths of the CPU went into collecting them.
 *
 * Node offers such reads for outgoing connections (`onread`), but not for accepted ones. Those have the same fields, which
 * are private to Node: they are used only after `proveSharedReads` has seen them work. Otherwise sockets read as usual.
 */

import { once } from "node:events";
import net from "node:net";
import { worksOnLoopback } from "./loopback-trial.ts";

/**
 * On a link, this is the content of four DATA frames that fill a TLS record each, so a full read leaves in as few of both as
 * possible.
 */
const buffer = Buffer.allocUnsafeSlow(4 * (16_384 - 9));

/** Views of its beginning, by length, up to this one: most reads of requests and responses have one of the same few lengths. */
const longestView = 1_024;
const views: (Buffer | undefined)[] = Array.from({ length: longestView + 1 }, () => undefined);

/** The fields in which `net.Socket` keeps what `onread` says. */
interface Fields {
  readonly buffer: symbol;
  readonly callback: symbol;
}

let proven: Fields | undefined;

/** The `onread` for `net.connect`: `receive` is called with what arrives. */
export function readingShared(receive: (chunk: Buffer) => void): net.OnReadOpts {
  return { buffer, callback: readCallback(receive) };
}

function readCallback(receive: (chunk: Buffer) => void): (length: number) => boolean {
  return (length) => {
    receive(beginning(length));
    return true;
  };
}

function beginning(length: number): Buffer {
  if (length > longestView) return length === buffer.length ? buffer : buffer.subarray(0, length);
  return (views[length] ??= buffer.subarray(0, length));
}

/** From now on `receive` is called with what arrives; it may pause and resume the socket. Call it once per socket. */
export function receiveFrom(socket: net.Socket, receive: (chunk: Buffer) => void): void {
  // What Node has already read comes as `data`, and so does everything else from this socket.
  if (proven === undefined || socket.readableLength > 0 || !attach(socket, proven, receive)) {
    socket.on("data", receive);
  } else if (socket.isPaused()) {
    socket.pause(); // only now does it stop reading: it had a buffer of its own to read ahead into
  } else {
    socket.resume();
  }
}

/**
 * Tests it on a loopback connection of its own, in about a millisecond. Without this, or if it resolves to false, sockets
 * read as Node does by default, which is only slower.
 */
export async function proveSharedReads(): Promise<boolean> {
  const fields = findFields();
  if (fields === undefined) return false;
  const works = await worksOnLoopback((client, accepted, patience) => landIn(accepted, client, fields, patience));
  proven = works ? fields : undefined;
  return works;
}

/** Finds them by their values, because the names of private fields may change. */
function findFields(): Fields | undefined {
  const mark = Buffer.alloc(1);
  const callback = (): boolean => true;
  const socket = new net.Socket({ onread: { buffer: mark, callback } });
  const holding = (value: unknown) =>
    Object.getOwnPropertySymbols(socket).find((symbol) => Reflect.get(socket, symbol) === value);
  const fields = { buffer: holding(mark), callback: holding(callback) };
  socket.destroy();
  return fields.buffer && fields.callback && { buffer: fields.buffer, callback: fields.callback };
}

/** Whether what is sent arrives in the buffer, and the end after it. */
async function landIn(accepted: net.Socket, client: net.Socket, fields: Fields, patience: AbortSignal) {
  const text = "tulle";
  let received = "";
  if (
    !attach(accepted, fields, (chunk) => {
      received += chunk.buffer === buffer.buffer ? chunk.toString("latin1") : "elsewhere";
    })
  ) {
    return false;
  }
  accepted.resume();
  client.end(text);
  await once(accepted, "end", { signal: patience });
  return received === text;
}

function attach(socket: net.Socket, fields: Fields, receive: (chunk: Buffer) => void): boolean {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (!isReadable(handle)) return false;
  handle.useUserBuffer(buffer);
  Reflect.set(socket, fields.buffer, buffer);
  Reflect.set(socket, fields.callback, readCallback(receive));
  return true;
}

function isReadable(handle: unknown): handle is { useUserBuffer(buffer: Buffer): void } {
  return typeof handle === "object" && handle !== null && "useUserBuffer" in handle;
}
