/** The ports on which every sidecar listens. */

import { meshPort } from "./mesh-link/connect.ts";

export const outboundPort = 15_001;
/** Where plaintext for the application is redirected to. */
export const plainPort = 15_006;
export const adminPort = 15_020;

/** Dialled by the application, these of its pod would come back to where they came from. */
export const ownPorts: ReadonlySet<number> = new Set([outboundPort, plainPort, meshPort, adminPort]);
