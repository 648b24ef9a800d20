/** The links of this sidecar, one per peer pod and identity: all requests of a pod pair share one. */

import { splitAddress } from "../../model/address.ts";
import type { Clock, Random } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import type { Endpoint } from "../../model/resources.ts";
import { type Service, stack } from "../net/exchange.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { carryDeadline } from "../policy/own-fields.ts";
import { type ConnectLink, Link } from "./link.ts";
import { aimAt } from "./target.ts";

export interface PeersOptions {
  /** Connects to the mesh port of a pod whose certificate must carry `identity`. */
  readonly connectTo: (podIp: string, identity: string) => ConnectLink;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
}

export class Peers {
  readonly #options: PeersOptions;
  readonly #links = new Map<string, Link>();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** Returns the way to one container port of a pod in the mesh. */
  service(endpoint: Endpoint, identity: string): Service {
    const { clock } = this.#options;
    const { host } = splitAddress(endpoint.address);
    const key = `${host} ${identity}`;
    return stack([aimAt(endpoint.address), carryDeadline(clock)], (exchange, response) =>
      (this.#links.get(key) ?? this.#linkTo(host, identity, key)).service(exchange, response),
    );
  }

  get connectionCount(): number {
    let count = 0;
    for (const link of this.#links.values()) count += link.connectionCount;
    return count;
  }

  /** Called from time to time: replaces connections that are due, and forgets idle links. */
  tend(): void {
    for (const [key, link] of this.#links) {
      link.renewDue();
      if (!link.isIdle) continue;
      link.drain();
      this.#links.delete(key);
    }
  }

  close(): void {
    for (const link of this.#links.values()) link.destroy(new MeshError("upstream_closed", "the sidecar ends"));
    this.#links.clear();
  }

  #linkTo(podIp: string, identity: string, key: string): Link {
    const { connectTo, clock, wheel, random } = this.#options;
    const link = new Link({ connect: connectTo(podIp, identity), clock, wheel, random });
    this.#links.set(key, link);
    return link;
  }
}
