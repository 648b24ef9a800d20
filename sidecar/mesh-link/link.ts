/**
 * All requests of this sidecar to one peer pod. One HTTP/2 connection over mutual TLS carries them; another is opened
 * when its streams are used up, or to replace it before a certificate expires.
 *
 * ```
 *              request                  connected
 *   idle ───────────────▶ connecting ───────────────▶ ready (1 … maxConnections)
 *    ▲                        │ failed                  │ replaced, or the peer says GOAWAY
 *    │   backoff is over      ▼                         ▼
 *    └─────────────────── backing off                draining: finishes its streams, gets no new ones
 * ```
 * While it backs off and has no connection, requests are refused at once, so that they are tried elsewhere. A request that
 * comes back here had nowhere else to go, so it waits for the next connection; being refused again would not be another try.
 */

import type { Clock, Random } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import type { Result } from "../../model/result.ts";
import { Deadline } from "../net/deadline.ts";
import type { Exchange, RequestSink, ResponseSink, Service } from "../net/exchange.ts";
import { HeldRequest } from "../net/held-request.ts";
import { nowhere } from "../net/pass-through.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";

/** One HTTP/2 connection to the peer, as a link sees it. */
export interface LinkConnection {
  readonly request: Service;
  /** Whether the peer allows one more stream now. */
  readonly canOpenStream: boolean;
  readonly activeStreams: number;
  /** When it must be replaced, on the sidecar's clock: before a leaf of either end expires, or once its root is dropped. */
  readonly replaceAtMs: number;
  /** Takes no new streams, finishes the others, then closes. */
  drain(): void;
  destroy(error: MeshError): void;
}

/** What a connection tells its link. */
export interface LinkEvents {
  /** A stream ended, or the peer allows more. */
  readonly slotFreed: () => void;
  /** It takes no new streams: it received GOAWAY, or is closed. */
  readonly unusable: () => void;
}

/** Connects to the peer; calls `done` once, later. */
export type ConnectLink = (
  timeoutMs: number,
  events: LinkEvents,
  done: (connection: Result<LinkConnection, MeshError>) => void,
) => void;

export interface LinkOptions {
  readonly connect: ConnectLink;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
}

/** A request that waits for a stream. */
interface Waiting {
  readonly held: HeldRequest;
  readonly untilMs: number;
}

const maxConnections = 4;
/** How many requests may wait for a stream, and how long. Waiting for a connection to open ends with the attempt. */
const maxWaiting = 1_024;
const maxWaitMs = 5_000;
const firstBackoffMs = 50;
const maxBackoffMs = 1_000;
const idleCloseMs = 10 * 60_000;
/** After a replacement that is already due again, because nobody renews the certificate: no use replacing it every second. */
const renewEveryMs = 30_000;
const renewTimeoutMs = 1_000;

export class Link {
  readonly #options: LinkOptions;
  readonly #ready: LinkConnection[] = [];
  #connecting = false;
  /** First come, first served. */
  #waiting: Waiting[] = [];
  readonly #waitLimit = new Deadline(() => this.#refuseLate());
  readonly #backoffEnd = new Deadline(() => this.#connectMore());
  #failures = 0;
  #backoffUntilMs = 0;
  #renewNextMs = 0;
  #lastError: MeshError | undefined;
  #usedAtMs: number;
  #closedBy: MeshError | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#usedAtMs = options.clock.now();
  }

  readonly service: Service = (exchange: Exchange, response: ResponseSink): RequestSink => {
    this.#usedAtMs = this.#options.clock.now();
    const connection = this.#waiting.length === 0 ? this.#withSlot() : undefined;
    if (connection !== undefined) return connection.request(exchange, response);
    const refusal = this.#refusal(exchange);
    if (refusal !== undefined) {
      response.abortResponse(refusal);
      return nowhere;
    }
    const held = new HeldRequest(exchange, response);
    this.#waiting.push({ held, untilMs: this.#usedAtMs + maxWaitMs });
    if (this.#waiting.length === 1) this.#options.wheel.arm(this.#waitLimit, maxWaitMs);
    this.#connectMore();
    return held;
  };

  /** Nothing is in progress, and nothing was for ten minutes: it may be forgotten. */
  get isIdle(): boolean {
    if (this.#waiting.length > 0 || this.#ready.some(({ activeStreams }) => activeStreams > 0)) return false;
    return this.#options.clock.now() - this.#usedAtMs >= idleCloseMs;
  }

  /** Replaces connections that are about to expire: opens the new one first, then drains the old. Called periodically. */
  renewDue(): void {
    const now = this.#options.clock.now();
    if (this.#connecting || this.#backsOff || now < this.#renewNextMs) return;
    if (this.#ready.some(({ replaceAtMs }) => replaceAtMs <= now)) this.#connect(renewTimeoutMs);
  }

  get connectionCount(): number {
    return this.#ready.length;
  }

  /** Closes everything now. */
  destroy(error: MeshError): void {
    this.#closedBy = error;
    for (const connection of this.#ready.splice(0)) connection.destroy(error);
    this.#refuseWaiting(() => error);
  }

  /** Takes no new requests; those in progress finish. */
  drain(): void {
    this.#closedBy = drained;
    for (const connection of this.#ready.splice(0)) connection.drain();
    this.#refuseWaiting(() => drained);
  }

  /** No request waits longer than `maxWaitMs`. */
  #refuseLate(): void {
    // An attempt to connect has a time limit of its own, and its end leads here again.
    if (this.#ready.length === 0 && this.#connecting) return;
    const now = this.#options.clock.now();
    const late = saturated(`none within ${maxWaitMs} ms`);
    this.#refuseWaiting(({ untilMs }) => (untilMs <= now ? late : undefined));
  }

  /** Those for whom there is an error are refused, the others wait on. */
  #refuseWaiting(errorFor: (waiting: Waiting) => MeshError | undefined): void {
    const staying: Waiting[] = [];
    const refused: { held: HeldRequest; error: MeshError }[] = [];
    for (const waiting of this.#waiting) {
      const error = errorFor(waiting);
      if (error === undefined) staying.push(waiting);
      else refused.push({ held: waiting.held, error });
    }
    this.#waiting = staying;
    this.#limitWait();
    for (const { held, error } of refused) held.refuse(error);
  }

  /** While nobody waits, no timer is armed. */
  #limitWait(): void {
    const { wheel, clock } = this.#options;
    const [first] = this.#waiting;
    if (first !== undefined) return wheel.arm(this.#waitLimit, first.untilMs - clock.now());
    wheel.clear(this.#waitLimit);
    wheel.clear(this.#backoffEnd);
  }

  #withSlot(): LinkConnection | undefined {
    return this.#ready.find(({ canOpenStream }) => canOpenStream);
  }

  #refusal(exchange: Exchange): MeshError | undefined {
    if (this.#closedBy !== undefined) return this.#closedBy;
    if (this.#waiting.length >= maxWaiting) this.#waiting = this.#waiting.filter(({ held }) => !held.gone);
    if (this.#waiting.length >= maxWaiting) return saturated(`${maxWaiting} requests wait for one`);
    return this.#ready.length > 0 ? undefined : this.#backoffRefusal(exchange);
  }

  #backoffRefusal({ tried, endpoint = "" }: Exchange): MeshError | undefined {
    return this.#backsOff && tried?.includes(endpoint) !== true ? this.#lastError : undefined;
  }

  get #backsOff(): boolean {
    return this.#options.clock.now() < this.#backoffUntilMs;
  }

  /** Opens connections for waiting requests, which may also get a stream of an existing one. */
  #connectMore(): void {
    const first = this.#waiting.find(({ held }) => !held.gone);
    if (first === undefined || this.#connecting || this.#ready.length >= maxConnections) return;
    if (!this.#backsOff) return this.#connect(first.held.exchange.connectTimeoutMs);
    const restMs = this.#backoffUntilMs - this.#options.clock.now();
    this.#options.wheel.arm(this.#backoffEnd, restMs);
  }

  #connect(timeoutMs: number): void {
    this.#connecting = true;
    let connection: LinkConnection | undefined;
    const events: LinkEvents = {
      slotFreed: () => this.#releaseWaiting(),
      unusable: () => connection !== undefined && this.#remove(connection),
    };
    this.#options.connect(timeoutMs, events, (result) => {
      this.#connecting = false;
      if (!result.ok) return this.#backOff(result.error);
      connection = result.value;
      this.#add(connection);
    });
  }

  #add(connection: LinkConnection): void {
    if (connection.canOpenStream) this.#failures = this.#backoffUntilMs = 0;
    else this.#delayNext(noStreams); // otherwise a peer that ends each connection again would be dialled without end
    if (this.#closedBy !== undefined) return connection.drain();
    const now = this.#options.clock.now();
    if (connection.replaceAtMs <= now) this.#renewNextMs = now + renewEveryMs;
    const ending = this.#ready.filter(({ replaceAtMs }) => replaceAtMs <= now);
    this.#ready.push(connection);
    for (const old of ending) {
      this.#remove(old);
      old.drain();
    }
    this.#releaseWaiting();
    this.#refuseLate();
  }

  #remove(connection: LinkConnection): void {
    const index = this.#ready.indexOf(connection);
    if (index >= 0) this.#ready.splice(index, 1);
    if (this.#ready.length > 0) return;
    // Those that wait have no more to hope for here than a request that comes now.
    this.#refuseWaiting(({ held }) => this.#backoffRefusal(held.exchange));
    this.#connectMore();
  }

  #releaseWaiting(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#withSlot();
      if (connection === undefined) break;
      this.#waiting.shift()?.held.release(connection.request);
    }
    if (this.#waiting.length === 0) this.#limitWait();
    else this.#connectMore();
  }

  #delayNext(error: MeshError): void {
    const backoffMs = Math.min(firstBackoffMs * 2 ** this.#failures++, maxBackoffMs);
    this.#backoffUntilMs = this.#options.clock.now() + backoffMs * (0.8 + 0.4 * this.#options.random());
    this.#lastError = error;
  }

  #backOff(error: MeshError): void {
    this.#delayNext(error);
    if (this.#ready.length === 0) return this.#refuseWaiting(() => error);
    this.#connectMore(); // once the backoff is over, for those that have not got a free stream until then
  }
}

function saturated(why: string): MeshError {
  return new MeshError("link_saturated", why, { processed: "unprocessed" });
}

const noStreams = saturated("the peer takes none");
const drained = new MeshError("upstream_closed", "the link is idle and closed", { processed: "unprocessed" });
