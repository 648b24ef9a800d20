/**
 * What leads back to this sidecar, whatever it is called. A request that is sent there comes in again as another one, with a
 * connection more each time: one would take all that there are.
 */

import dns from "node:dns";
import type net from "node:net";
import { isLoopback } from "../../model/address.ts";
import { MeshError } from "../../model/errors.ts";

/** What the kernel takes for this machine where it is dialled. */
const unspecified = new Set(["0.0.0.0", "::"]);
const mappedPrefix = "::ffff:";

/** Whether an address in its canonical form is that of this sidecar. Pods of one machine have loopback IPs, one each. */
export function isOwnAddress(address: string, podIp: string): boolean {
  const ip = address.startsWith(mappedPrefix) ? address.slice(mappedPrefix.length) : address;
  return ip === podIp || unspecified.has(ip) || (isLoopback(ip) && !isLoopback(podIp));
}

/** For a dial at one of the sidecar's own ports: fails with `loop_detected` where a name, or an odd way to write an address, means it. */
export function lookupElsewhere(podIp: string): net.LookupFunction {
  return (name, options, done) => {
    dns.lookup(name, options, (error, found, family) => {
      if (error !== null) return done(error, "");
      const addresses = typeof found === "string" ? [found] : found.map(({ address }) => address);
      const isOwn = addresses.some((address) => isOwnAddress(address, podIp));
      if (!isOwn) return done(null, found, family);
      done(new MeshError("loop_detected", `${name} is ${addresses.join(", ")}`, { processed: "unprocessed" }), "");
    });
  };
}
