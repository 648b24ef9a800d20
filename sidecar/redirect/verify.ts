/**
 * Tries the redirect before anybody relies on it: dials an address that belongs to nobody, as a user other than the sidecar's,
 * and expects to reach itself on the outbound port with that address preserved.
 */

import { once } from "node:events";
import net from "node:net";
import { joinAddress } from "../../model/address.ts";
import { openOriginalDestination } from "../net/original-destination.ts";
import { type Family, redirectPorts, type Skipped } from "./rules.ts";

/** Addresses for documentation (RFC 5737, RFC 3849): if a packet escaped, nobody would answer. */
const nowhere: Readonly<Record<Family, readonly string[]>> = {
  ipv4: ["192.0.2.1", "198.51.100.1", "203.0.113.1"],
  ipv6: ["2001:db8::1"],
};
const loopback: Readonly<Record<Family, string>> = { ipv4: "127.0.0.1", ipv6: "::1" };
const withinMs = 3_000;

/** Returns one line that says what is wrong; undefined: it works, or everything that could be tried is skipped on purpose. */
export async function tryRedirect(family: Family, skipped: Skipped): Promise<string | undefined> {
  const destination = destinationFor(family, skipped);
  if (destination === undefined) return undefined;
  const opened = await openOriginalDestination(loopback[family]);
  if (!opened.ok) return opened.error;
  const server = net.createServer();
  const client = new net.Socket();
  try {
    server.listen(redirectPorts.outbound, loopback[family]);
    await once(server, "listening");
    const signal = AbortSignal.timeout(withinMs);
    const failed = once(client, "error", { signal }).then(([error]) => Promise.reject(error as Error));
    const accepted = once(server, "connection", { signal }) as Promise<[net.Socket]>;
    client.connect(destination);
    const [socket] = await Promise.race([accepted, failed]);
    const found = opened.value(socket);
    socket.destroy();
    if (found?.host === destination.host && found.port === destination.port) return undefined;
    return `a connection to ${joinAddress(destination.host, destination.port)} came with ${JSON.stringify(found)}`;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `a connection to ${joinAddress(destination.host, destination.port)} was not redirected: ${reason}`;
  } finally {
    client.destroy();
    server.close();
  }
}

function destinationFor(family: Family, { outboundPorts, outboundRanges }: Skipped) {
  const ranges = new net.BlockList();
  for (const range of outboundRanges) {
    const [address = "", bits] = range.split("/");
    const kind = net.isIPv6(address) ? "ipv6" : "ipv4";
    ranges.addSubnet(address, Number(bits ?? (kind === "ipv6" ? 128 : 32)), kind);
  }
  const host = nowhere[family].find((address) => !ranges.check(address, family));
  const port = [9, 80, 443, 8080].find((number) => !outboundPorts.includes(number));
  return host === undefined || port === undefined ? undefined : { host, port };
}
