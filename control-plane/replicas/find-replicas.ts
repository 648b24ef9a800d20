/** Finds the replicas: the addresses behind a name, such as that of a headless Service. */

import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";

/** Every address of each `host:port`, once. Rejects if a name can't be resolved. */
export async function findReplicas(hosts: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(hosts.map(addressesOf));
  return [...new Set(found.flat())];
}

async function addressesOf(host: string): Promise<readonly string[]> {
  const colon = host.lastIndexOf(":");
  const [name, port] = [host.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), host.slice(colon + 1)];
  const addresses = await lookup(name, { all: true });
  return addresses.map(({ address }) => `${isIPv6(address) ? `[${address}]` : address}:${port}`);
}
