/** What a dialled address leads to: a Service in the mesh, a pod, or something outside. */

import { joinAddress, splitAddress } from "../model/address.ts";
import { undeclaredProtocol } from "../model/defaults.ts";
import { MeshError } from "../model/errors.ts";
import { canonicalIp } from "../model/ip-address.ts";
import { destinationName } from "../model/service-host.ts";
import type { Destinations } from "./discovery/destinations.ts";
import type { Dialled } from "./intercept/dialled.ts";
import { type Service, stack } from "./net/exchange.ts";
import { nowhere } from "./net/pass-through.ts";
import type { OutsideReason, OutsideStack } from "./outside.ts";
import { withholdOwnFields } from "./policy/own-fields.ts";
import { ownPorts } from "./ports.ts";
import type { SidecarMetrics } from "./telemetry/metrics.ts";
import { isOwnAddress } from "./upstream/lookup-elsewhere.ts";
import type { PlainUpstreams } from "./upstream/plain-upstreams.ts";

const defaultHttpPort = 80;

export interface DiallerOptions {
  readonly namespace: string;
  readonly podIp: string;
  readonly routeBy: "address" | "host";
  readonly plain: PlainUpstreams;
  readonly outside: "allow" | "deny";
  readonly outsideStack: OutsideStack;
  readonly metrics: Pick<SidecarMetrics, "passthrough" | "refused">;
}

export class Dialler {
  readonly #options: DiallerOptions;
  readonly #destinations: () => Destinations;

  /** `destinations` is called at a dial, because what destinations pass through uses this dialler in turn. */
  constructor(options: DiallerOptions, destinations: () => Destinations) {
    this.#options = options;
    this.#destinations = destinations;
  }

  /** Resolves what a program names; undefined: this sidecar itself. */
  dial(host: string, port: number): Dialled | undefined {
    const ip = canonicalIp(host);
    if (this.#isOwn(ip ?? host, port)) return undefined;
    const dialled = joinAddress(ip ?? host, port);
    const name = ip === undefined ? destinationName(host, port, this.#options.namespace) : dialled;
    if (name === undefined)
      return { service: this.passThrough(dialled, "outside"), protocol: undeclaredProtocol(port) };
    return this.#destinations().dial(name, dialled);
  }

  /** Resolves an IP address, which may be a Service's; undefined: this sidecar itself. */
  dialAddress(host: string, port: number): Dialled | undefined {
    if (this.#isOwn(host, port)) return undefined;
    const address = joinAddress(host, port);
    const dialled = this.#destinations().dial(address, address);
    if (this.#options.routeBy === "address") return dialled;
    const service = this.#routeByHost(address, dialled.service);
    const { whenKnown, seen } = dialled;
    return {
      service,
      whenKnown,
      seen,
      get protocol() {
        return dialled.protocol;
      },
    };
  }

  /** Straight to the address, as without a sidecar, if this pod may do that; counted. */
  passThrough(address: string, reason: OutsideReason): Service {
    const { outside, plain, outsideStack, metrics } = this.#options;
    if (outside === "deny") {
      const why = `It is ${address}; the annotation tulle.dev/outside of the caller's pod says deny.`;
      return this.#refuse(address, reason, why);
    }
    const { passthrough } = metrics;
    const slot = passthrough.slot({ reason });
    const service = outsideStack(reason, address, stack([withholdOwnFields()], plain.service(address)));
    return (exchange, response) => {
      passthrough.increment(slot);
      return service(exchange, response);
    };
  }

  /**
   * For a name about which the control plane has not answered: this pod calls nobody in the clear, or the name was forgotten while
   * requests waited. Each name that is forgotten gets one, usually for nobody: so its counters exist from the first request on.
   */
  refuseUnknown(name: string): Service {
    let refusal: Service | undefined;
    return (exchange, response) => {
      refusal ??= this.#refuse(name, "no_policy_yet", name);
      return refusal(exchange, response);
    };
  }

  #refuse(address: string, reason: OutsideReason, why: string): Service {
    const { outsideStack, metrics } = this.#options;
    const code = reason === "outside" ? "outside_denied" : reason;
    const slot = metrics.refused.slot({ listener: "outbound", code });
    const error = new MeshError(code, why, { processed: "unprocessed" });
    return outsideStack(reason, address, (_exchange, response) => {
      metrics.refused.increment(slot);
      response.abortResponse(error);
      return nowhere;
    });
  }

  /** Serves programs that look up pods themselves and name the Service in Host, as ingress controllers do. */
  #routeByHost(address: string, dialled: Service): Service {
    return (exchange, response) => {
      const { host, port = defaultHttpPort } = splitAddress(exchange.authority);
      const name = destinationName(host, port, this.#options.namespace);
      const service = name === undefined ? dialled : this.#destinations().dial(name, address, dialled).service;
      return service(exchange, response);
    };
  }

  #isOwn(host: string, port: number): boolean {
    return ownPorts.has(port) && (host === "localhost" || isOwnAddress(host, this.#options.podIp));
  }
}
