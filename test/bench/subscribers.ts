/**
 * A program that acts as a thousand sidecars towards the control plane, in one process. Each has its own connection, through
 * the sidecar's own code, subscribes, and acknowledges what arrives. It answers each `Order` of its parent with one `Report`.
 */

import { encodeName } from "../../proto/encode.ts";
import { ControlConnection } from "../../sidecar/discovery/control-connection.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import type { Connect, Order, Report } from "./subscriber-fleet.ts";

/** The number of handshakes under way: as if this many sidecars started at the same moment. */
const dialsAtOnce = 20;
const patienceMs = 60_000;

const clock = { now: () => performance.now() };
const wheel = new TimerWheel(clock);
let arrivals: bigint[] = [];
/** Checks whether everything that is awaited has arrived. */
let onArrival: () => void = () => {};

function connect(order: Connect, index: number, names: readonly string[]): Promise<void> {
  const { address, credentials, controlPlaneIdentity, namespace } = order;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const subscriptions = names.flatMap((name) => [
    { resource: encodeName("destination", name), knownVersion: "" },
    { resource: encodeName("endpoints", name), knownVersion: "" },
  ]);
  let missing = subscriptions.length;
  const options = { address, credentials, controlPlaneIdentity, clock, wheel };
  const connection: ControlConnection = new ControlConnection(options, {
    opened: () => missing === 0 && resolve(),
    closed: (reason) => reject(new Error(`subscriber ${index}: ${reason}`)),
    update: ({ resources }) => {
      const now = process.hrtime.bigint();
      for (const { name, version, body } of resources) {
        if (body !== undefined) connection.send({ ack: { resource: encodeName(body, name), version } });
        if (missing === 0) arrivals.push(now);
        else if (--missing === 0) resolve();
      }
      onArrival();
    },
  });
  connection.send({ hello: { namespace, workload: "web", pod: `web-${index}`, proxyVersion: "0.1.0" } });
  connection.send({ subscribe: { subscriptions } });
  return promise;
}

async function connectAll(order: Connect): Promise<Report> {
  const waiting = order.subscribers.entries();
  const dialler = async (): Promise<void> => {
    for (const [index, names] of waiting) await connect(order, index, names);
  };
  await Promise.all(Array.from({ length: dialsAtOnce }, dialler));
  return { kind: "connected" };
}

function takeArrivals(count: number): Promise<Report> {
  const { promise, resolve } = Promise.withResolvers<Report>();
  const report = (): void => {
    clearTimeout(patience);
    onArrival = () => {};
    resolve({ kind: "arrived", atNs: arrivals.map(String) });
    arrivals = [];
  };
  const patience = setTimeout(report, patienceMs);
  onArrival = () => arrivals.length >= count && report();
  onArrival();
  return promise;
}

function obey(order: Order): Promise<Report> {
  return order.kind === "connect" ? connectAll(order) : takeArrivals(order.updates);
}

process.on("message", (order: Order) => {
  obey(order)
    .catch((error: unknown): Report => ({ kind: "failed", reason: String(error) }))
    .then((report) => process.send?.(report))
    .catch(() => process.exit(1));
});
process.on("disconnect", () => process.exit(0));
