/**
 * The whole outbound stack of a sidecar over a destination that came to it as a push comes, with endpoints that do as they
 * are told, dice that fall as they are told, and time that stands still between.
 */

import { destinationFor } from "../../../model/consumer-routes.ts";
import { defaultRetryBudget } from "../../../model/defaults.ts";
import type { Destination, Endpoints, Resource } from "../../../model/resources.ts";
import { RetryBudget } from "../../../model/retry-budget.ts";
import { decodeResource, decodeUpdate } from "../../../proto/decode.ts";
import { encodeResource, encodeUpdate } from "../../../proto/encode.ts";
import { Backend } from "../../../sidecar/balance/backend.ts";
import { RequestTaps } from "../../../sidecar/debug/request-taps.ts";
import type { Exchange, ResponseSink, Service } from "../../../sidecar/net/exchange.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { outboundStack } from "../../../sidecar/outbound.ts";
import { CallsInFlight } from "../../../sidecar/policy/calls-in-flight.ts";
import { MirrorLimit } from "../../../sidecar/route/mirror.ts";
import { createSidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { IdSource } from "../../../sidecar/telemetry/trace-context.ts";
import { RecordingCaller, RecordingUpstream } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

const metrics = createSidecarMetrics(new MetricRegistry({ labels: {} }));
const ids = new IdSource();
/** Longer than any wait before another try, and shorter than what is left of a request that waits for one. */
const waitMs = 6_000;

export interface LiveDecision {
  readonly route: string;
  /** Of the first try; empty: there was none. */
  readonly backend: string;
  /** Why there was a second one; absent: there was none. */
  readonly again?: string;
}

export class LiveStack {
  readonly #clock = new HandClock();
  readonly #wheel = new TimerWheel(this.#clock, { drive: false });
  readonly #services = new Map<string, Service>();
  readonly #pushed: Destination;
  readonly #balancers: ReadonlyMap<string, Backend>;
  #backends: string[] = [];
  #random = 0;
  #upstream = new RecordingUpstream();

  constructor(pushed: Destination, endpoints: readonly Endpoints[]) {
    const resource = overTheWire({ kind: "destination", value: pushed });
    if (resource.kind !== "destination") throw new Error("another kind came back");
    this.#pushed = resource.value;
    this.#balancers = new Map(endpoints.map((value) => [value.name, this.#balance(value)]));
  }

  /** `first` is what becomes of the first try. */
  decide(exchange: Exchange, namespace: string, random: number, first: (response: ResponseSink) => void): LiveDecision {
    this.#random = random;
    this.#backends = [];
    this.#upstream = new RecordingUpstream();
    const request = this.#serviceFor(namespace)(exchange, new RecordingCaller());
    request.endRequest();
    const { route = "no_route" } = exchange;
    if (this.#backends.length > 0) {
      first(this.#upstream.response);
      this.#clock.advance(waitMs);
      this.#wheel.advance();
    }
    const [backend = "", ...others] = this.#backends;
    const again = others.length > 0 ? { again: exchange.retryReason ?? "" } : {};
    return { route, backend, ...again };
  }

  /** As the sidecar of a workload there composes it. */
  #serviceFor(namespace: string): Service {
    const known = this.#services.get(namespace) ?? this.#compose(namespace);
    this.#services.set(namespace, known);
    return known;
  }

  /** Over endpoints that all lead to whoever is the upstream then. */
  #balance(pushed: Endpoints): Backend {
    const resource = overTheWire({ kind: "endpoints", value: pushed });
    if (resource.kind !== "endpoints") throw new Error("another kind came back");
    const balancer = new Backend(pushed.name, {
      caller: "spiffe://cluster.local/ns/shop/sa/web",
      locality: {},
      dial: () => (exchange, response) => this.#upstream.service(exchange, response),
      clock: this.#clock,
      wheel: this.#wheel,
      random: () => this.#random,
      onBreakerTransition: () => {},
      onOverload: () => {},
    });
    balancer.apply(resource.value);
    return balancer;
  }

  #compose(namespace: string): Service {
    const clock = this.#clock;
    const wheel = this.#wheel;
    return outboundStack(destinationFor(namespace, this.#pushed), {
      clock,
      wheel,
      metrics,
      random: () => this.#random,
      unixNow: () => clock.now(),
      tracer: { sampler: { ratio: 0, parentBased: true }, ids, clock, sink: undefined, errors: undefined },
      accessLog: { requests: "none", ratio: 1 },
      taps: new RequestTaps(clock),
      log: () => {},
      workload: `${namespace}/web`,
      backend: (name) => (exchange, response) => {
        this.#backends.push(exchange.backend ?? "");
        return (this.#balancers.get(name) as Backend).service(exchange, response);
      },
      remembers: () => false,
      // Of its own for each composition, and never spent: explanations don't tell of budgets.
      retryBudget: () => new RetryBudget({ ...defaultRetryBudget, minRetriesPerSecond: 1_000 }, clock),
      mirrorLimit: new MirrorLimit(),
      calls: new CallsInFlight(),
      policyVersion: undefined,
    });
  }
}

function overTheWire(resource: Resource): Resource {
  const [message] = decodeUpdate(encodeUpdate({ resources: [encodeResource(resource, "v1")] })).resources;
  const decoded = message && decodeResource(message);
  if (!decoded?.ok) throw new Error("it did not come back");
  return decoded.value;
}
