/**
 * Where a connection was dialled to before iptables' REDIRECT brought it here: one `getsockopt` on its file descriptor
 * (linux/netfilter_ipv4.h, `SO_ORIGINAL_DST`), which Node can't call and koffi can.
 *
 * It only reads. koffi is loaded only if redirects are used.
 */

import { once } from "node:events";
import net from "node:net";
import { err, ok, type Result } from "../../model/result.ts";
import { loadKoffi } from "./load-koffi.ts";

export interface OriginalDestination {
  /** An IP address, an IPv6 one without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Undefined: netfilter does not track the connection, or it is gone. */
export type ReadOriginalDestination = (socket: net.Socket) => OriginalDestination | undefined;

interface SystemCalls {
  /** Returns 0, or the error number. `value` and `length` are written to. */
  readonly getSocketOption: (fd: number, level: number, name: number, value: Buffer, length: Uint32Array) => number;
}

const levelIpv4 = 0;
const levelIpv6 = 41;
const originalDestinationOption = 80;
/** sizeof(struct sockaddr_in6), the larger one. */
const addressBytes = 28;
const ipv4Mapped = "::ffff:";
const errors = { noEntry: 2, noSuchOption: 92 };

/**
 * Loads koffi and tries the call on a connection of its own to `host`, an address of this machine.
 * The error says what is missing: koffi's binary, connection tracking in the kernel, or the rules.
 */
export async function openOriginalDestination(host: string): Promise<Result<ReadOriginalDestination, string>> {
  let calls: SystemCalls;
  try {
    calls = loadSystemCalls();
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return err(`redirected connections can't be read: koffi.node for ${process.platform}-${process.arch}: ${reason}`);
  }
  const value = Buffer.alloc(addressBytes);
  const length = new Uint32Array(1);
  const read = (socket: net.Socket): Result<OriginalDestination, number> => {
    const fd = descriptorOf(socket);
    if (fd === undefined) return err(errors.noEntry);
    const isIpv6 = socket.localFamily === "IPv6" && socket.localAddress?.startsWith(ipv4Mapped) === false;
    length[0] = addressBytes;
    const failed = calls.getSocketOption(fd, isIpv6 ? levelIpv6 : levelIpv4, originalDestinationOption, value, length);
    return failed === 0 ? ok(parseSocketAddress(value, isIpv6)) : err(failed);
  };
  const missing = await tryOnce(host, read);
  if (missing !== undefined) return err(`redirected connections can't be read: ${missing}`);
  return ok((socket) => {
    const destination = read(socket);
    return destination.ok ? destination.value : undefined;
  });
}

function loadSystemCalls(): SystemCalls {
  const koffi = loadKoffi();
  const signature = "int getsockopt(int fd, int level, int name, void *value, void *length)";
  const getsockopt: SystemCalls["getSocketOption"] = koffi.load(null).func(signature);
  return { getSocketOption: (...args) => (getsockopt(...args) === 0 ? 0 : koffi.errno()) };
}

/** Node does not expose a socket's file descriptor, but its handle has it (since 0.11, and on Linux only). */
function descriptorOf(socket: net.Socket): number | undefined {
  const { _handle: handle } = socket as { _handle?: { readonly fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

/** Parses struct sockaddr_in or sockaddr_in6: the port is at 2 in network order, the address at 4 or, after the flow, at 8. */
export function parseSocketAddress(bytes: Buffer, isIpv6: boolean): OriginalDestination {
  const port = bytes.readUInt16BE(2);
  if (!isIpv6) return { host: bytes.subarray(4, 8).join("."), port };
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(8 + 2 * i).toString(16));
  return { host: new net.SocketAddress({ address: groups.join(":"), family: "ipv6" }).address, port };
}

/** What is missing, in plain words. */
async function tryOnce(
  host: string,
  read: (socket: net.Socket) => Result<OriginalDestination, number>,
): Promise<string | undefined> {
  const server = net.createServer().listen(0, host);
  try {
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    const accepted = once(server, "connection") as Promise<[net.Socket]>;
    const client = net.connect({ host, port });
    client.on("error", () => {}); // `accepted` would not arrive, and its server's own error ends the wait
    const [socket] = await accepted;
    const found = descriptorOf(socket) === undefined ? undefined : read(socket);
    socket.destroy();
    client.destroy();
    if (found === undefined) return "this version of Node does not say what descriptor a socket has";
    if (found.ok) return found.value.port === port ? undefined : `the kernel says ${JSON.stringify(found.value)}`;
    if (found.error === errors.noSuchOption) return "the kernel has no connection tracking (module nf_conntrack)";
    if (found.error === errors.noEntry) return "no redirect is set in this network namespace (iptables -t nat)";
    return `getsockopt(SO_ORIGINAL_DST) fails with error ${found.error}`;
  } finally {
    server.close();
  }
}
