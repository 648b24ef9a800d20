/**
 * Addresses that lead back to this sidecar, whatever name they go by. A request sent there would come in again as a new one, with
 * one more connection each time: a single request would use up all there are.
 */

import dns from "node:dns";
import type net from "node:net";
import { isLoopback } from "../../model/address.ts";
import { MeshError } from "../../model/errors.ts";

/** Addresses that the kernel takes to mean this machine when they are dialled. */
const unspecified = new Set(["0.0.0.0", "::"]);
const mappedPrefix = "::ffff:";

/** Whether an address in its canonical form is this sidecar's. Pods simulated on one machine have one loopback IP each. */
export function isOwnAddress(address: string, podIp: string): boolean {
  const ip = address.startsWith(mappedPrefix) ? address.slice(mappedPrefix.length) : address;
  return ip === podIp || unspecified.has(ip) || (isLoopback(ip) && !isLoopback(podIp));
}

/**
 * For dialling one of the sidecar's own ports: fails with `loop_detected` if a name, or an unusual way to write an address, leads
 * to this sidecar.
 */
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
