import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { ok } from "../../../model/result.ts";
import { Peers } from "../../../sidecar/mesh-link/peers.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { exchangeOf, RecordingCaller } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { endpointAt } from "../balance/endpoints.ts";
import { HandConnection } from "./hand-connection.ts";

function peers() {
  const clock = new HandClock();
  const dialled: string[] = [];
  const connections: HandConnection[] = [];
  const all = new Peers({
    connectTo: (podIp, identity) => (_timeoutMs, events, done) => {
      dialled.push(`${podIp} ${identity}`);
      const connection = new HandConnection(events, 100);
      connections.push(connection);
      done(ok(connection));
    },
    clock,
    wheel: new TimerWheel(clock, { drive: false }),
    random: () => 0.5,
  });
  const ask = (address: string, identity: string) => {
    const caller = new RecordingCaller();
    const exchange = exchangeOf();
    all.service(endpointAt(address), identity)(exchange, caller);
    return { calls: caller.calls, exchange };
  };
  return { all, ask, clock, dialled, connections };
}

it("shares one link among all ports of a pod, but not among pods or identities", () => {
  const { all, ask, dialled } = peers();
  ask("10.0.0.7:8080", "orders");
  ask("10.0.0.7:9090", "orders");
  ask("[fd00::7]:8080", "orders");
  ask("10.0.0.7:8080", "payments");
  expect(dialled).toEqual(["10.0.0.7 orders", "fd00::7 orders", "10.0.0.7 payments"]);
  expect(all.connectionCount).toBe(3);
});

it("says which port a request is for, and how much of its time is left", () => {
  const { all, clock } = peers();
  const exchange = exchangeOf();
  exchange.deadlineAtMs = 100;
  clock.advance(40);
  all.service(endpointAt("10.0.0.7:8080"), "orders")(exchange, new RecordingCaller());
  expect(exchange.headers.flat).toEqual(["tulle-target", "10.0.0.7:8080", "tulle-deadline", "60000u"]);
});

it("drains an idle link, and makes another when it is needed again", () => {
  const { all, ask, clock, dialled, connections } = peers();
  ask("10.0.0.7:8080", "orders");
  connections[0]?.endStream();
  clock.advance(10 * 60_000);
  all.tend();
  expect([connections[0]?.ends, all.connectionCount]).toEqual([["drained"], 0]);
  ask("10.0.0.7:8080", "orders");
  expect(dialled).toHaveLength(2);
});

it("ends every link with the sidecar", () => {
  const { all, ask, connections } = peers();
  ask("10.0.0.7:8080", "orders");
  all.close();
  expect(connections[0]?.ends).toEqual([`destroyed: ${new MeshError("upstream_closed", "").code}`]);
});
