/** Which peers are compared on what. */

import type { Chain } from "../chain.ts";
import type { Wire } from "../ground.ts";
import type { Tool, Tools } from "../tools.ts";
import { envoy } from "./envoy.ts";
import { haproxy } from "./haproxy.ts";
import { nginx } from "./nginx.ts";

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

/** Those among them that are asked for and installed; what is missing is noted in `tools`. */
export function peersFor(wire: Wire, tools: Tools, wanted: (name: string) => boolean): readonly Chain[] {
  return peers[wire]
    .filter(([tool, { name }]) => wanted(name) && tools.find(tool) !== undefined)
    .map(([, chain]) => chain);
}
