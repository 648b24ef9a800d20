/**
 * Sidecars that get no CPU for a second or so: they are late, but report no false errors. Here they are processes that are
 * stopped.
 */

import { once } from "node:events";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { it, vi } from "vitest";
import { answerTo } from "../support/answer-to.ts";
import { eventually } from "../support/eventually.ts";
import { nextPodIp } from "../support/sidecar-pair.ts";
import { type ProcessPair, startSidecarProcesses } from "../support/sidecar-processes.ts";
import { isDialled } from "../support/tcp-table.ts";

/** More than a retry budget is good for. */
const requests = 400;
/** By default, a connection is given a second. */
const pastTimeoutMs = 1_300;
const port = 8_080;
const meshPort = 15_008;
vi.setConfig({ testTimeout: 40_000 });

async function pairWithApplication(): Promise<{ readonly pair: ProcessPair; readonly close: () => void }> {
  const [web, orders] = [nextPodIp(), nextPodIp()];
  const application = http.createServer((_request, response) => response.end("here")).listen(port, orders);
  await once(application, "listening");
  const pair = await startSidecarProcesses({ web, orders, port, protocol: "http1" });
  return { pair, close: () => application.close() };
}

/** Many at once: for each outcome, how often it came. */
async function askTogether({ upstream: { host, port } }: ProcessPair): Promise<Readonly<Record<string, number>>> {
  const outcomes: Record<string, number> = {};
  const asked = Array.from({ length: requests }, async () => {
    const request = http.get({ host, port, headers: { host: "orders" }, agent: false });
    const response = await answerTo(request);
    response.resume();
    await once(response, "end");
    const outcome = [response.statusCode, response.headers["tulle-error"]].join(" ").trim();
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  });
  await Promise.all(asked);
  return outcomes;
}

it.concurrent("answers all requests that wait for the first connection to a peer that was held up longer than the connect timeout", async ({
  expect,
}) => {
  const { pair, close } = await pairWithApplication();
  await using _pair = pair;
  const { orders } = pair.processes;
  orders.kill("SIGSTOP");
  const asked = askTogether(pair);
  await sleep(pastTimeoutMs);
  orders.kill("SIGCONT");
  expect(await asked).toEqual({ 200: requests });
  close();
});

it.concurrent("does not blame a peer for time in which the sidecar itself was held up", async ({ expect }) => {
  const { pair, close } = await pairWithApplication();
  await using _pair = pair;
  const { web, orders } = pair.processes;
  orders.kill("SIGSTOP");
  const asked = askTogether(pair);
  await eventually(() => isDialled(pair.orders, meshPort));
  web.kill("SIGSTOP");
  orders.kill("SIGCONT");
  await sleep(pastTimeoutMs);
  web.kill("SIGCONT");
  expect(await asked).toEqual({ 200: requests });
  close();
});
