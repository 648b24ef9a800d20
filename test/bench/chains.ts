/** Which proxies are compared on which wire. */

import type { Chain } from "./chain.ts";
import type { Wire } from "./ground.ts";
import { envoy } from "./peers/envoy.ts";
import { haproxy } from "./peers/haproxy.ts";
import { nginx } from "./peers/nginx.ts";
import type { Tool, Tools } from "./tools.ts";
import { tulle } from "./tulle.ts";

const peers: Readonly<Record<Wire, readonly (readonly [Tool, Chain])[]>> = {
  http1: [
    ["haproxy", haproxy("haproxy", "http/1.1")],
    ["haproxy", haproxy("haproxy-h2", "h2")],
    ["nginx", nginx],
    ["envoy", envoy("envoy", "http/1.1")],
    ["envoy", envoy("envoy-h2", "h2")],
  ],
  http2: [
    ["haproxy", haproxy("haproxy", "h2")],
    ["envoy", envoy("envoy", "h2")],
  ],
  tcp: [
    ["haproxy", haproxy("haproxy", "http/1.1")],
    ["envoy", envoy("envoy", "http/1.1")],
  ],
};

/** Tulle and its peers that are selected and installed; missing ones are recorded in `tools`. */
export function chainsFor(wire: Wire, tools: Tools, wants: (name: string) => boolean): readonly Chain[] {
  const installed = peers[wire].filter(([tool, { name }]) => wants(name) && tools.find(tool) !== undefined);
  return [...(wants("tulle") ? [tulle()] : []), ...installed.map(([, chain]) => chain)];
}

/** The chain with which every peer is compared. */
export function ours(): string {
  return "tulle";
}
