/** The application's ports as seen by plaintext callers: which policies apply there, and whether clients there speak first. */

import { undeclaredProtocol } from "../model/defaults.ts";
import type { NamedAccessRules } from "../model/policy.ts";
import type { Inbound, InboundPort } from "../model/resources.ts";
import { SeenClients } from "./net/detect.ts";
import { ownPorts } from "./ports.ts";

const maxSeenPorts = 1_000;
/** Until it is known who may call, nobody may. */
const nobodyYet: readonly NamedAccessRules[] = [{ name: "", action: "allow", mode: "enforce", rules: [] }];

export class PlainPorts {
  readonly #inbound: () => Inbound | undefined;
  readonly #seen = new Map<number, SeenClients>();

  constructor(inbound: () => Inbound | undefined) {
    this.#inbound = inbound;
  }

  /** Ports that the pod does not declare belong to the application too; undefined: the port is this sidecar's own. */
  of(port: number): InboundPort | undefined {
    if (ownPorts.has(port)) return undefined;
    const protocol = undeclaredProtocol(port);
    const inbound = this.#inbound();
    if (inbound === undefined) return { port, protocol, access: nobodyYet };
    const { ports, unlisted = [], elsewhere } = inbound;
    const isIt = (known: InboundPort) => known.port === port;
    return ports.find(isIt) ?? unlisted.find(isIt) ?? { port, protocol, ...elsewhere };
  }

  seenAt(port: number): SeenClients {
    let seen = this.#seen.get(port);
    if (seen === undefined) {
      if (this.#seen.size >= maxSeenPorts) this.#seen.clear();
      seen = new SeenClients();
      this.#seen.set(port, seen);
    }
    return seen;
  }
}
