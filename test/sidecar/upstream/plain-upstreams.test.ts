import { afterEach, expect, it } from "vitest";
import type { Protocol } from "../../../model/resources.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { PlainUpstreams } from "../../../sidecar/upstream/plain-upstreams.ts";
import { exchangeOf, RecordingCaller } from "../../support/exchange.ts";
import { type Listening, listen } from "../../support/sockets.ts";
import { keptAlive } from "../../support/tcp-table.ts";

const clock = performance;
const upstreams = new PlainUpstreams({ podIp: "10.1.0.9", clock, wheel: new TimerWheel(clock), random: Math.random });
let silent: Listening | undefined;

afterEach(async () => {
  upstreams.close();
  await silent?.close();
});

it.runIf(process.platform === "linux").each<[Protocol, string]>([
  ["http1", "GET"],
  ["http2", "GET"],
  ["opaque", "CONNECT"],
])("has the kernel find out that a server of %s vanished", async (protocol, method) => {
  silent = await listen(() => {});
  const { port } = silent;
  upstreams.service(`127.0.0.1:${port}`, protocol)(exchangeOf({ method }), new RecordingCaller());
  await expect.poll(() => keptAlive("remote", port)).toBe(1);
});
