/**
 * Runs in a network namespace of its own (`unshare --map-root-user --net`): a peer of whose packets none arrives any more, nor
 * any of those to it, as behind a broken cable. No end of a connection is told. Prints what was seen as one JSON object;
 * `../silent-peer.test.ts` says what it has to be.
 */

import http from "node:http";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { answerTo } from "../../support/answer-to.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { run, setUpLoopback } from "../../support/namespace.ts";
import { TestMesh as Mesh, meshed, nextPodIp } from "../../support/sidecar-pair.ts";

const clock = new HandClock(1_000_000);
const wheel = new TimerWheel(clock, { drive: false });
const upstream = nextPodIp();
/** Longer than all that is looked for here. */
const longestMs = 60_000;
const stepMs = 50;

function cutCable(isCut: boolean): void {
  for (const end of ["--sport", "--dport"])
    run("iptables", "-w", isCut ? "-A" : "-D", "INPUT", "-p", "tcp", end, "15008", "-j", "DROP");
}

/** `status code`, as the caller was told. */
async function ask(path: string): Promise<string> {
  const response = await answerTo(http.get({ host: upstream, port: 9001, path, agent: false }));
  response.resume();
  return `${response.statusCode} ${String(response.headers["tulle-error"])}`;
}

/** Lets time go by for `web`'s sidecar until something holds; how long that was. Sockets get their turn at each step. */
async function passUntil(holds: () => boolean): Promise<number> {
  let passedMs = 0;
  for (; !holds() && passedMs < longestMs; passedMs += stepMs) {
    clock.advance(stepMs);
    wheel.advance();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  return passedMs;
}

/** The answer to a request, and how long the caller waited for it. */
async function askInTime(path: string): Promise<{ readonly answer: string; readonly tookMs: number }> {
  let answer: string | undefined;
  const answered = ask(path).then((text) => {
    answer = text;
  });
  const tookMs = await passUntil(() => answer !== undefined);
  await answered;
  return { answer: String(answer), tookMs };
}

setUpLoopback([]);
const mesh = await Mesh.open();
const upstreams = [{ host: "orders", port: 80, listenHost: upstream, listenPort: 9001 }];
const web = await mesh.sidecar("web", { upstreams, time: { clock, wheel } });
const orders = await mesh.sidecar("orders");
mesh.service("orders", [meshed(orders.podIp, "orders")]);
const waiting = Promise.withResolvers<void>();
await mesh.application(orders.podIp, ({ url }, response) => {
  if (url === "/waits") waiting.resolve();
  else response.end("ok");
});
const links = () => web.sidecar.state().linkCount;

const before = await ask("/");
const running = ask("/waits");
await waiting.promise;
cutCable(true);
const foundMs = await passUntil(() => links() === 0);
const seen = {
  before,
  foundMs,
  running: await running,
  meanwhile: await askInTime("/"),
  again: await (async () => {
    cutCable(false);
    clock.advance(5_000); // no backoff is longer
    wheel.advance();
    return ask("/");
  })(),
  links: links(),
};
await mesh[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
