/**
 * Sends copies of some requests elsewhere, and drops the responses. The caller must never be affected: the copy is sent after
 * the request, takes its body as it streams, is not retried, and is abandoned if it can't keep up or if there are too many.
 */

import type { Random } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import type { Route } from "../../model/resources.ts";
import { Exchange, type Layer, type RequestSink, type ResponseSink, type Service } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";

/** A copy occupies its place no longer than this, whatever it waits for. */
const copyTimeoutMs = 30_000;

/** `answered`: with any status; `failed`: no whole response; `slow`: given up; `crowded`: not sent at all. */
export type MirrorOutcome = "answered" | "failed" | "slow" | "crowded";

/**
 * How many copies may be in progress at once, and how many body bytes all copies together may hold for connections that do not
 * take them yet. One per sidecar.
 */
export class MirrorLimit {
  #freePlaces: number;
  #freeBytes: number;

  constructor({ copies = 100, waitingBytes = 8 * 1024 * 1024 } = {}) {
    this.#freePlaces = copies;
    this.#freeBytes = waitingBytes;
  }

  enter(): boolean {
    if (this.#freePlaces === 0) return false;
    this.#freePlaces--;
    return true;
  }

  leave(): void {
    this.#freePlaces++;
  }

  takeBytes(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  giveBytes(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

export interface MirrorOptions {
  /** Returns the service of a backend, given the name of its `Endpoints`. */
  readonly backend: (endpoints: string) => Service;
  readonly random: Random;
  readonly wheel: TimerWheel;
  readonly limit: MirrorLimit;
  readonly count: (backend: string, outcome: MirrorOutcome) => void;
}

interface Target {
  readonly service: Service;
  readonly percent: number;
  readonly wheel: TimerWheel;
  readonly limit: MirrorLimit;
  readonly count: (outcome: MirrorOutcome) => void;
}

export function mirror(route: Route, { backend, random, wheel, limit, count }: MirrorOptions): Layer {
  const targets = (route.mirrors ?? []).map(({ endpoints, service, percent }): Target => {
    const name = `${service.namespace}/${service.name}`;
    return { service: backend(endpoints), percent, wheel, limit, count: (outcome) => count(name, outcome) };
  });
  if (targets.length === 0) return (next) => next;
  return (next) => (exchange, response) => {
    const copies = isTunnel(exchange) ? [] : copiesOf(exchange, targets, random);
    if (copies.length === 0) return next(exchange, response);
    const mirrored = new Mirrored(response, copies);
    mirrored.attach(next(exchange, mirrored));
    for (const copy of copies) copy.send();
    return mirrored;
  };
}

/** A tunnel carries a conversation, not a request. */
function isTunnel({ method, upgrade }: Exchange): boolean {
  return method === "CONNECT" || upgrade !== undefined;
}

/** Created before the request is passed on, because the layers below may edit it. */
function copiesOf(exchange: Exchange, targets: readonly Target[], random: Random): Copy[] {
  const copies: Copy[] = [];
  for (const target of targets) {
    if (random() * 100 >= target.percent) continue;
    if (target.limit.enter()) copies.push(new Copy(exchange, target));
    else target.count("crowded");
  }
  return copies;
}

/** The request on its way, and the copies that get what it gets. */
class Mirrored extends PassThrough {
  readonly #copies: readonly Copy[];

  constructor(above: ResponseSink, copies: readonly Copy[]) {
    super(above);
    this.#copies = copies;
  }

  override writeRequest(chunk: Buffer): boolean {
    const takesMore = super.writeRequest(chunk);
    for (const copy of this.#copies) copy.write(chunk);
    return takesMore;
  }

  override endRequest(trailers?: HeaderFields): void {
    super.endRequest(trailers);
    for (const copy of this.#copies) copy.end(trailers?.copy());
  }

  override abortRequest(error: MeshError): void {
    super.abortRequest(error);
    for (const copy of this.#copies) copy.breakOff(error);
  }

  /** After that the rest of the body may never come. */
  override abortResponse(error: MeshError): void {
    super.abortResponse(error);
    for (const copy of this.#copies) copy.breakOff(error);
  }
}

/**
 * ```
 *             end             answer ends
 *   ┌ sending ───▶ sent ───────────────────▶ over
 *   │    │                                    ▲
 *   │    └───────▶ answered ──────────────────┤ end
 *   └─────────────────────────────────────────┘ an abort from either side, too far behind, or too late
 * ```
 */
class Copy extends Timer implements ResponseSink {
  readonly #exchange: Exchange;
  readonly #target: Target;
  #below: RequestSink | undefined;
  #state: "sending" | "sent" | "answered" | "over" = "sending";
  /** Bytes written since it was asked to wait; undefined: it was not. */
  #waitingBytes: number | undefined;

  constructor(original: Exchange, target: Target) {
    super();
    const exchange = new Exchange(original);
    exchange.headers = original.headers.copy();
    // Nobody waits for a 100.
    exchange.headers.remove("expect");
    exchange.overHttp2 = original.overHttp2;
    exchange.connectTimeoutMs = original.connectTimeoutMs;
    this.#exchange = exchange;
    this.#target = target;
  }

  send(): void {
    if (this.#state === "over") return;
    this.#target.wheel.arm(this, copyTimeoutMs);
    this.#below = this.#target.service(this.#exchange, this);
  }

  override expire(): void {
    this.#giveUp(tooLate, "failed");
  }

  write(chunk: Buffer): void {
    if (this.#state !== "sending" && this.#state !== "answered") return;
    if (this.#below?.writeRequest(chunk) === false) this.#waitingBytes ??= 0;
    if (this.#waitingBytes === undefined) return;
    if (this.#target.limit.takeBytes(chunk.length)) this.#waitingBytes += chunk.length;
    else this.#giveUp(tooSlow, "slow");
  }

  end(trailers: HeaderFields | undefined): void {
    if (this.#state === "sending") this.#state = "sent";
    else if (this.#state === "answered") this.#leave();
    else return;
    this.#below?.endRequest(trailers);
  }

  /** The body will not be complete. A copy that was already sent in full continues. */
  breakOff(error: MeshError): void {
    if (this.#state === "sending" || this.#state === "answered") this.#giveUp(error, "failed");
  }

  informational(): void {}

  head(): void {}

  writeResponse(): boolean {
    return true;
  }

  endResponse(): void {
    if (this.#state === "over" || this.#state === "answered") return;
    if (this.#state === "sending") this.#state = "answered";
    else this.#leave();
    this.#settle("answered");
  }

  abortResponse(): void {
    if (this.#state === "sending" || this.#state === "sent") this.#settle("failed");
    this.#leave();
  }

  resumeRequest(): void {
    this.#target.limit.giveBytes(this.#waitingBytes ?? 0);
    this.#waitingBytes = undefined;
  }

  #giveUp(error: MeshError, outcome: MirrorOutcome): void {
    if (this.#state !== "answered") this.#settle(outcome);
    this.#leave();
    this.#below?.abortRequest(error);
  }

  #leave(): void {
    this.#state = "over";
    this.#target.wheel.clear(this);
    this.resumeRequest();
  }

  /** Called once per copy: when its response has ended, or when it is certain that there will be none. */
  #settle(outcome: MirrorOutcome): void {
    this.#target.limit.leave();
    this.#target.count(outcome);
  }
}

const tooSlow = new MeshError("upstream_reset", "the copy could not keep up with the request");
const tooLate = new MeshError("request_timeout", `a copy has ${copyTimeoutMs} ms`);
