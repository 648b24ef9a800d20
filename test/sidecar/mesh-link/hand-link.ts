/** A link whose dials a test answers by hand, on a clock that it moves by hand. */

import { MeshError } from "../../../model/errors.ts";
import { err, ok } from "../../../model/result.ts";
import { type ConnectLink, Link } from "../../../sidecar/mesh-link/link.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { exchangeOf, RecordingCaller } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { HandConnection } from "./hand-connection.ts";

/** `maxStreams`: of each connection. */
export function linked(maxStreams = 100) {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const dials: { timeoutMs: number; succeed: (replaceAtMs?: number) => HandConnection; fail: () => void }[] = [];
  const connect: ConnectLink = (timeoutMs, events, done) => {
    dials.push({
      timeoutMs,
      succeed: (replaceAtMs = Number.POSITIVE_INFINITY) => {
        const connection = new HandConnection(events, maxStreams);
        connection.replaceAtMs = replaceAtMs;
        done(ok(connection));
        return connection;
      },
      fail: () => done(err(new MeshError("mesh_port_unreachable", "", { processed: "unprocessed" }))),
    });
  };
  const link = new Link({ connect, clock, wheel, random: () => 0.5 });
  const ask = (tried?: string[]) => {
    const caller = new RecordingCaller();
    const exchange = exchangeOf();
    exchange.endpoint = "10.0.0.1:8080";
    exchange.tried = tried;
    const sink = link.service(exchange, caller);
    return { calls: caller.calls, exchange, sink };
  };
  const dial = (index: number) => dials[index] as (typeof dials)[number];
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  return { clock, pass, link, ask, dial, dials };
}

export const gone = new MeshError("upstream_closed", "");
