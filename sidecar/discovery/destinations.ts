/**
 * What the application dials, and the stack for each destination: requested from the control plane at the first dial,
 * composed again at each update, forgotten ten minutes after the last dial or request. So memory grows only with a pod's
 * neighbours.
 */

import { splitAddress } from "../../model/address.ts";
import type { Clock } from "../../model/clock.ts";
import { undeclaredProtocol } from "../../model/defaults.ts";
import type { Destination, Protocol } from "../../model/resources.ts";
import type { Dialled } from "../intercept/dialled.ts";
import { SeenClients } from "../net/detect.ts";
import type { Exchange, RequestSink, ResponseSink, Service } from "../net/exchange.ts";
import { HeldRequest } from "../net/held-request.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import type { OutsideReason } from "../outside.ts";

/**
 * Follows one resource: calls `apply` with each value and its version, `undefined` if there is no such resource. Returns a
 * function that stops following.
 */
export type FollowDestination = (
  name: string,
  apply: (destination: Destination | undefined, version: string | undefined) => void,
) => () => void;

export interface DestinationsOptions {
  readonly follow: FollowDestination;
  readonly compose: (destination: Destination, version: string | undefined) => Service;
  /** Dials an address that is, or may be, outside the mesh, as a client without a mesh would. */
  readonly passThrough: (address: string, reason: OutsideReason) => Service;
  /** The service for a name about which the control plane has not answered. */
  readonly refuseUnknown: (name: string) => Service;
  /** Whether a dial is forwarded in the clear when the control plane can't be asked; else it is refused. */
  readonly outboundMtls: "preferred" | "required";
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

const firstAnswerMs = 1_000;
const forgetAfterMs = 10 * 60_000;
const maxDestinations = 10_000;
/** The precision of the order of use, because moving an entry costs more than every request should pay. */
const orderedToMs = 1_000;

export class Destinations {
  readonly #options: DestinationsOptions;
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry>();

  constructor(options: DestinationsOptions) {
    this.#options = options;
  }

  /**
   * Returns what a full name (`orders.shop.svc.cluster.local:80`) leads to. If the name turns out to be outside the mesh,
   * `otherwise` serves it, or, if that is absent, the address `dialled`.
   */
  dial(name: string, dialled: string, otherwise?: Service): Dialled {
    return this.use({ key: otherwise === undefined ? name : `${name} ${dialled}`, name, dialled, otherwise });
  }

  /** Returns the destination, even if it was forgotten: a connection may outlive that. */
  use(dial: Dial): Entry {
    const { key } = dial;
    const now = this.#options.clock.now();
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= maxDestinations) this.#forgetOldest();
      entry = new Entry(dial, this, this.#options);
    } else if (now - entry.usedAtMs < orderedToMs) return entry;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.usedAtMs = now;
    return entry;
  }

  /** The destinations in use that the control plane knows. */
  get known(): Destination[] {
    return Array.from(this.#entries.values(), ({ destination }) => destination).filter((known) => known !== undefined);
  }

  /** Called periodically. */
  forgetIdle(): void {
    const idleSince = this.#options.clock.now() - forgetAfterMs;
    for (const entry of this.#entries.values()) {
      if (entry.usedAtMs >= idleSince) return;
      this.#forget(entry);
    }
  }

  close(): void {
    for (const entry of this.#entries.values()) this.#forget(entry);
  }

  #forgetOldest(): void {
    for (const oldest of this.#entries.values()) return this.#forget(oldest);
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.dial.key);
    entry.close();
  }
}

interface Dial {
  /** The entry's name in this table. */
  readonly key: string;
  readonly name: string;
  readonly dialled: string;
  readonly otherwise: Service | undefined;
}

/**
 * One dialled name. Until the control plane's first answer, requests are held for up to a second. Callers may keep this object.
 */
class Entry extends Timer {
  readonly dial: Dial;
  usedAtMs = 0;
  /** The last value received; undefined: none was received yet, or it is not in the mesh. */
  destination: Destination | undefined;
  readonly #destinations: Destinations;
  readonly #options: DestinationsOptions;
  readonly #unfollow: () => void;
  readonly #undeclared: Protocol;
  #current: Service | undefined;
  #held: HeldRequest[] = [];
  #waiting: (() => void)[] = [];

  constructor(dial: Dial, destinations: Destinations, options: DestinationsOptions) {
    super();
    this.dial = dial;
    this.#undeclared = undeclaredProtocol(splitAddress(dial.dialled).port ?? 0);
    this.#destinations = destinations;
    this.#options = options;
    options.wheel.arm(this, firstAnswerMs);
    this.#unfollow = options.follow(dial.name, (destination, version) => this.#apply(destination, version));
  }

  readonly seen = new SeenClients();

  get protocol(): Protocol {
    return this.destination?.protocol ?? this.#undeclared;
  }

  readonly whenKnown = (call: () => void): void => {
    if (this.#current !== undefined) call();
    else this.#waiting.push(call);
  };

  /** Looks the destination up again by its name: if it was forgotten meanwhile, it is requested again. */
  readonly service: Service = (exchange: Exchange, response: ResponseSink): RequestSink =>
    this.#destinations.use(this.dial).pass(exchange, response);

  pass(exchange: Exchange, response: ResponseSink): RequestSink {
    if (this.#current !== undefined) return this.#current(exchange, response);
    const held = new HeldRequest(exchange, response);
    this.#held.push(held);
    return held;
  }

  /** No answer in time. Further requests are not held; a late answer still takes effect. */
  override expire(): void {
    const { name, dialled, otherwise } = this.dial;
    if (otherwise !== undefined) this.#release(otherwise);
    else if (this.#options.outboundMtls === "required") this.#release(this.#options.refuseUnknown(name));
    else this.#release(this.#options.passThrough(dialled, "no_policy_yet"));
  }

  close(): void {
    this.#options.wheel.clear(this);
    this.#unfollow();
    this.#release(this.#options.refuseUnknown(this.dial.name));
  }

  /** Throws if the stack can't be composed; then nothing changes. */
  #apply(destination: Destination | undefined, version: string | undefined): void {
    const { compose, passThrough, wheel } = this.#options;
    const { dialled, otherwise } = this.dial;
    const service =
      destination === undefined ? (otherwise ?? passThrough(dialled, "outside")) : compose(destination, version);
    wheel.clear(this);
    this.destination = destination;
    this.#release(service);
  }

  #release(service: Service): void {
    this.#current = service;
    for (const held of this.#held.splice(0)) held.release(service);
    for (const call of this.#waiting.splice(0)) call();
  }
}
