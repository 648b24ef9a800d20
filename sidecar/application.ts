/** The application behind this sidecar: its ports at the pod's IP, never at loopback, where it may keep things private. */

import { joinAddress } from "../model/address.ts";
import type { Clock, Random } from "../model/clock.ts";
import type { InboundPort } from "../model/resources.ts";
import type { Service } from "./net/exchange.ts";
import type { TimerWheel } from "./net/timer-wheel.ts";
import { PlainUpstreams } from "./upstream/plain-upstreams.ts";

export interface ApplicationOptions {
  readonly podIp: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
}

export class Application {
  readonly #options: ApplicationOptions;
  readonly #upstreams: PlainUpstreams;
  readonly #ports = new Map<string, Service>();
  /** The services by objects of an update, so that no key is composed per request. */
  readonly #found = new WeakMap<InboundPort, Service>();

  constructor(options: ApplicationOptions) {
    this.#options = options;
    this.#upstreams = new PlainUpstreams(options);
  }

  /** Sends a request to the port in `exchange.target`. */
  readonly service: Service = (exchange, response) => {
    const { target } = exchange;
    if (target === undefined) throw new Error("a request reached the application without a target");
    return this.#port(target)(exchange, response);
  };

  close(): void {
    this.#upstreams.close();
  }

  #port(target: InboundPort): Service {
    const found = this.#found.get(target);
    if (found !== undefined) return found;
    const { port, protocol } = target;
    const key = `${port} ${protocol}`;
    const service = this.#ports.get(key) ?? this.#upstreams.service(joinAddress(this.#options.podIp, port), protocol);
    this.#ports.set(key, service);
    this.#found.set(target, service);
    return service;
  }
}
