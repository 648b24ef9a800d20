/** The layer under test with a clock turned by hand, an application that answers as told, and callers that record. */

import { MeshError } from "../../../model/errors.ts";
import type { NamedIdempotencyRules } from "../../../model/policy.ts";
import { KeyedRequests, processOnce } from "../../../sidecar/idempotency/process-once.ts";
import type { RecordStore } from "../../../sidecar/idempotency/record-store.ts";
import type { Exchange, RequestHead, RequestSink, ResponseSink } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { type Call, exchangeOf, RecordingCaller } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

export const rules: NamedIdempotencyRules = {
  name: "shop/payments",
  methods: ["PATCH", "POST"],
  required: false,
  ttlMs: 3_600_000,
  maxAnswerBytes: 1_000_000,
  store: "memory",
  onStoreFailure: "reject",
};

export const gone = new MeshError("upstream_reset", "the caller is gone");

/** What a caller gets of the usual answer. */
export const paid = [
  ["head", 201],
  ["write", "paid"],
  ["end", []],
];

/** One request as the application has it. */
export interface Taken {
  readonly exchange: Exchange;
  readonly response: ResponseSink;
  readonly calls: Call[];
}

export interface Asked {
  readonly caller: RecordingCaller;
  readonly sink: RequestSink;
}

export interface Ask extends Partial<RequestHead> {
  readonly key?: string;
  readonly peer?: string;
  readonly rules?: NamedIdempotencyRules;
  readonly fields?: Readonly<Record<string, string>>;
}

export class KeyedMesh {
  readonly clock = new HandClock();
  readonly wheel = new TimerWheel(this.clock, { drive: false });
  /** In the words of the metrics. */
  readonly outcomes: string[] = [];
  readonly taken: Taken[] = [];
  readonly keyed: KeyedRequests;
  readonly #service: (exchange: Exchange, response: ResponseSink) => RequestSink;

  constructor(shared?: RecordStore) {
    this.keyed = new KeyedRequests({
      clock: this.clock,
      wheel: this.wheel,
      counts: {
        ended: (_policy, outcome) => this.outcomes.push(outcome),
        answered: (_policy, outcome) => this.outcomes.push(outcome),
        evicted: (what) => this.outcomes.push(`evicted ${what}`),
      },
      sharedRecords: () => shared ?? { claim: () => ({ kind: "unavailable" }) },
    });
    this.#service = processOnce(this.keyed)((exchange, response) => this.#take(exchange, response));
  }

  /** Throws where the application has fewer requests. */
  takenAt(index: number): Taken {
    const request = this.taken[index];
    if (request === undefined) throw new Error(`the application has ${this.taken.length} requests`);
    return request;
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }

  /** A POST without its body. */
  begin({ key = "k", peer = "spiffe://a/ns/shop/sa/web", fields = {}, ...ask }: Ask = {}): Asked {
    const headers = new HeaderFields([...Object.entries(fields), ["idempotency-key", key]].flat());
    const exchange = exchangeOf({ method: "POST", path: "/pay", bodyless: false, headers, ...ask });
    exchange.peer = peer;
    exchange.target = { port: 8080, protocol: "http1", idempotency: ask.rules ?? rules };
    const caller = new RecordingCaller();
    return { caller, sink: this.#service(exchange, caller) };
  }

  /** A whole one. */
  ask(ask: Ask = {}, body = "body"): Asked {
    const asked = this.begin(ask);
    if (body !== "") asked.sink.writeRequest(Buffer.from(body));
    asked.sink.endRequest();
    return asked;
  }

  #take(exchange: Exchange, response: ResponseSink): RequestSink {
    const calls: Call[] = [];
    this.taken.push({ exchange, response, calls });
    return {
      writeRequest: (chunk) => calls.push(["write", chunk.toString("latin1")]) > 0,
      endRequest: () => calls.push(["end"]),
      abortRequest: (error) => calls.push(["abort", error.code]),
      resumeResponse: () => calls.push(["resume"]),
    };
  }
}

export function answer(
  { response }: Taken,
  status = 201,
  body = "paid",
  trailers?: readonly string[],
  headers: readonly string[] = [],
): void {
  response.head({ status, headers: new HeaderFields([...headers]), bodyless: body === "" });
  if (body !== "") response.writeResponse(Buffer.from(body));
  response.endResponse(trailers && new HeaderFields([...trailers]));
}
