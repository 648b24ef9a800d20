/** A backend with recording upstreams, for the tests of this folder. */

import type { Locality } from "../../../model/endpoint-choice.ts";
import type { CircuitBreakerPolicy } from "../../../model/policy.ts";
import type { Endpoint, Endpoints } from "../../../model/resources.ts";
import { Backend } from "../../../sidecar/balance/backend.ts";
import type { RequestHead } from "../../../sidecar/net/exchange.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { endpointAt } from "./endpoints.ts";

/** Of the backend. */
export const name = "orders.shop.svc.cluster.local:80";

export function endpoints(
  list: readonly Endpoint[],
  breaker?: CircuitBreakerPolicy,
  more: Partial<Endpoints> = {},
): Endpoints {
  const service = { namespace: "shop", name: "orders" };
  return { name, service, protocol: "http1", endpoints: list, ...(breaker !== undefined && { breaker }), ...more };
}

export const [a, b] = [endpointAt("10.0.0.1:80"), endpointAt("10.0.0.2:80")];

export function backend(locality: Locality = { node: "node-1", zone: "west" }) {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const random = seededRandom(7);
  const transitions: string[] = [];
  const overloads: string[] = [];
  const dialled: string[] = [];
  const upstreams = new Map<string, RecordingUpstream>();
  const options = {
    caller: "spiffe://cluster.local/ns/shop/sa/web",
    locality,
    clock,
    wheel,
    random,
    dial: ({ address }: Endpoint) => {
      dialled.push(address);
      const upstream = new RecordingUpstream();
      upstreams.set(address, upstream);
      return upstream.service;
    },
    onOverload: (of: string, limit: string) => overloads.push(`${of} ${limit}`),
    onBreakerTransition: (of: string, endpoint: string, to: string) => transitions.push(`${of} ${endpoint} ${to}`),
  };
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  const one = new Backend(name, options);
  const ask = (tried?: string[], head: Partial<RequestHead> = {}) => {
    const caller = new RecordingCaller();
    const exchange = exchangeOf(head);
    exchange.tried = tried;
    const sink = one.service(exchange, caller);
    return { caller, exchange, sink, calls: caller.calls };
  };
  const answer = (address: string, status: number) => {
    const { response } = upstreams.get(address) as RecordingUpstream;
    response.head(responseHead(status));
    response.endResponse();
  };
  return { clock, wheel, random, pass, options, one, ask, answer, transitions, overloads, dialled, upstreams };
}
