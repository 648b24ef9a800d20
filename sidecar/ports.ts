/** The ports on which every sidecar listens. */

import { meshPort } from "./mesh-link/connect.ts";

export const outboundPort = 15_001;
/** The port to which plaintext for the application is redirected. */
export const plainPort = 15_006;
export const adminPort = 15_020;

/** If the application dialled these ports of its own pod, its connection would come back to this sidecar. */
export const ownPorts: ReadonlySet<number> = new Set([outboundPort, plainPort, meshPort, adminPort]);
