import * as http from "node:http";
import * as net from "node:net";
import * as fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { Http1Pool } from "../../../sidecar/http1/pool.ts";
import { serveHttp1 } from "../../../sidecar/http1/server.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { listen } from "../../support/sockets.ts";
import { TripApplication, trips } from "../../support/trips.ts";

it("random exchanges are the same through server and pool as without them, byte for byte", async () => {
  const application = new TripApplication();
  const port = await application.listen("127.0.0.1", 0);
  const timers = new TimerWheel(performance);
  const connect = (onread: net.OnReadOpts) => net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, onread });
  const pool = new Http1Pool(connect, { clock: performance, timers });
  const proxy = await listen((socket) => serveHttp1(socket, pool.request, { timers }));
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(async () => {
    agent.destroy();
    await proxy.close();
    pool.close();
    application.close();
  });

  const property = fc.asyncProperty(trips, async (trip) => {
    const direct = await application.travel(agent, "127.0.0.1", port, trip);
    expect(await application.travel(agent, "127.0.0.1", proxy.port, trip)).toEqual(direct);
  });
  await fc.assert(property, { numRuns: 300 });
}, 30_000);
