/** The pages for people who debug this sidecar: its requests as they happen, and what is in force. On loopback only. */

import { forDebugging } from "../../system/loopback-page.ts";
import { type Page, plainPage } from "../../system/page.ts";
import type { GoodResource } from "../discovery/held-resource.ts";
import type { SidecarState } from "../sidecar.ts";
import type { PageBody, SidecarPage, StreamedPage } from "../telemetry/serve-pages.ts";
import { maxTaps, type RequestTaps } from "./request-taps.ts";
import { parseTapFilter, type TapFilter } from "./tap-filter.ts";

export const tapPath = "/debug/tap";
export const snapshotPath = "/debug/snapshot";

/** A line of `tapPath` that is not a request: how many were left out since the last such line. */
export interface TapMissed {
  readonly missed: number;
}

/** The content of `snapshotPath`; `tulle sidecar --snapshot` reads it too. */
export interface LiveSnapshot {
  /** Its SPIFFE id; absent: it has no certificate yet. */
  readonly identity?: string;
  readonly resources: readonly {
    readonly kind: GoodResource["resource"]["kind"];
    readonly version: string;
    readonly value: GoodResource["resource"]["value"];
  }[];
  /** The breakers of endpoints, if a policy asks for them. */
  readonly breakers: readonly LiveBreaker[];
}

export interface LiveBreaker {
  /** The name of the Endpoints. */
  readonly backend: string;
  readonly endpoint: string;
  readonly state: "closed" | "open" | "half-open";
}

export interface DebugOptions {
  readonly taps: RequestTaps;
  readonly inForce: () => readonly GoodResource[];
  readonly identity: () => string | undefined;
  /** Undefined: the sidecar is not up yet. */
  readonly state: () => SidecarState | undefined;
}

const defaultRequestsPerSecond = 100;
export const maxRequestsPerSecond = 1_000;
/** How often it is reported how many requests were left out. */
const missedEveryMs = 1_000;
const linesType = "application/x-ndjson";

export function debugPages({ taps, ...sources }: DebugOptions): ReadonlyMap<string, SidecarPage> {
  return new Map<string, SidecarPage>([
    [tapPath, forDebugging((query, { gone }) => tapPage(taps, query, gone))],
    [
      snapshotPath,
      forDebugging(() => ({
        status: 200,
        type: "application/json",
        text: `${JSON.stringify(liveSnapshot(sources))}\n`,
      })),
    ],
  ]);
}

function tapPage(taps: RequestTaps, query: URLSearchParams, gone: AbortSignal): Page | StreamedPage {
  const { rate = String(defaultRequestsPerSecond), ...words }: Record<string, string | undefined> =
    Object.fromEntries(query);
  const filter = parseTapFilter(words);
  if (!filter.ok) return plainPage(400, filter.error);
  const requestsPerSecond = Number(rate);
  if (!(requestsPerSecond >= 1 && requestsPerSecond <= maxRequestsPerSecond))
    return plainPage(400, `rate must be a number from 1 to ${maxRequestsPerSecond}, got ${rate}`);
  const reader = new LineReader(taps, filter.value, requestsPerSecond, gone);
  if (!reader.isOpen) return plainPage(503, `${maxTaps} are watching already`);
  return { status: 200, type: linesType, stream: (body) => reader.writeTo(body) };
}

/** Writes lines of JSON, as fast as the reader takes them. */
class LineReader {
  #body: PageBody | undefined;
  readonly #tap: ReturnType<RequestTaps["open"]>;
  readonly #gone: AbortSignal;

  constructor(taps: RequestTaps, filter: TapFilter, requestsPerSecond: number, gone: AbortSignal) {
    this.#tap = taps.open(filter, requestsPerSecond, { take: (request) => this.#write(request) });
    this.#gone = gone;
    gone.addEventListener("abort", () => this.#tap?.close(), { once: true });
  }

  get isOpen(): boolean {
    return this.#tap !== undefined;
  }

  writeTo(body: PageBody): void {
    if (this.#gone.aborted) return;
    this.#body = body;
    const timer = setInterval(() => this.#reportMissed(), missedEveryMs).unref();
    this.#gone.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  #reportMissed(): void {
    if (this.#body?.isBehind === true) return;
    const missed = this.#tap?.takeMissed() ?? 0;
    if (missed > 0) this.#write({ missed } satisfies TapMissed);
  }

  #write(line: object): boolean {
    const body = this.#body;
    if (body === undefined || body.isBehind) return false;
    body.write(`${JSON.stringify(line)}\n`);
    return true;
  }
}

function liveSnapshot({ inForce, identity, state }: Omit<DebugOptions, "taps">): LiveSnapshot {
  const own = identity();
  const resources = listed(inForce());
  return { ...(own !== undefined && { identity: own }), resources, breakers: breakersOf(state()) };
}

function listed(resources: readonly GoodResource[]): LiveSnapshot["resources"] {
  return resources.map(({ version, resource: { kind, value } }) => ({ kind, version, value }));
}

function breakersOf(state: SidecarState | undefined): LiveBreaker[] {
  return (state?.backends.all ?? []).flatMap(({ name, liveEndpoints }) =>
    [...liveEndpoints].flatMap(({ breakerState, endpoint }) =>
      breakerState === undefined ? [] : [{ backend: name, endpoint: endpoint.address, state: breakerState }],
    ),
  );
}
