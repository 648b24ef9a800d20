import { expect, it, onTestFinished } from "vitest";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { plainHttp2 } from "../../../sidecar/upstream/http2-connector.ts";
import { turn } from "../../fuzz/memory-socket.ts";
import { listen, untilClosed } from "../../support/sockets.ts";

it("reports once that a server which accepts and closes does not speak HTTP/2", async () => {
  const cut = Promise.withResolvers<void>();
  const server = await listen((socket) => {
    void untilClosed(socket).then(() => cut.resolve());
    socket.once("data", () => socket.resetAndDestroy());
  });
  onTestFinished(() => server.close());
  const told: string[] = [];
  const events = { slotFreed() {}, unusable() {} };
  const target = { host: "127.0.0.1", port: server.port };
  const first = Promise.withResolvers<void>();
  plainHttp2(target, performance, new TimerWheel(performance))(1_000, events, (result) => {
    told.push(result.ok ? "connected" : `${result.error.code} ${result.error.processed}`);
    first.resolve();
  });
  await Promise.all([first.promise, cut.promise]);
  for (let turns = 0; turns < 5; turns++) await turn(); // the error, and the close behind it
  expect(told).toEqual(["connect_failed unprocessed"]);
});
