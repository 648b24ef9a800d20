import http from "node:http";
import { expect, it } from "vitest";
import { defaultRetryPolicy } from "../../model/defaults.ts";
import type { Route } from "../../model/resources.ts";
import { answerTo } from "../support/answer-to.ts";
import { eventually } from "../support/eventually.ts";
import { askThrough, meshed, TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";

/** Quick, and with the default budget: 20 % and 10/s over ten seconds. */
const retry = { ...defaultRetryPolicy, initialDelayMs: 1, maxDelayMs: 1 };
const budgetWindowSeconds = 10;
const retriesPerSecond = 10;

/** Asks the next service as an application does that knows a proxy, and passes on the trace context or not. */
async function ask(podIp: string, service: string, traceparent: string | undefined): Promise<http.IncomingMessage> {
  const headers = { host: service, ...(traceparent !== undefined && { traceparent }) };
  const agent = agents.get(podIp) ?? new http.Agent({ keepAlive: true, maxSockets: 16 });
  agents.set(podIp, agent);
  const request = http.get({ host: podIp, port: 15_001, path: `http://${service}/`, headers, agent });
  const response = await answerTo(request);
  response.resume();
  return response;
}

const agents = new Map<string, http.Agent>();

/** `client` calls `a`, which calls `b`, which calls `c`, which answers by `last`. */
async function openChain(
  choice: { readonly forwards: boolean; readonly routes: Record<string, Partial<Route>> },
  last: http.RequestListener,
) {
  const mesh = await TestMesh.open();
  const client = await mesh.sidecar("client");
  const arrived = new Map<string, number>();
  const answers: string[] = [];
  const pods = new Map<string, TestSidecar>();
  for (const [name, next] of [
    ["a", "b"],
    ["b", "c"],
    ["c", undefined],
  ] as const) {
    const pod = await mesh.sidecar(name);
    pods.set(name, pod);
    await mesh.application(pod.podIp, (request, response) => {
      arrived.set(name, (arrived.get(name) ?? 0) + 1);
      if (next === undefined) return last(request, response);
      const traceparent = choice.forwards ? request.headers["traceparent"] : undefined;
      ask(pod.podIp, next, traceparent?.toString()).then(
        (answer) => {
          answers.push(`${name} ${answer.statusCode} ${answer.headers["tulle-error"]?.toString() ?? ""}`);
          response.writeHead(answer.statusCode ?? 500).end();
        },
        () => response.destroy(),
      );
    });
    mesh.service(name, [meshed(pod.podIp, name)], { timeout: { connectMs: 1_000 }, ...choice.routes[name] });
  }
  const close = () => {
    for (const agent of agents.values()) agent.destroy();
    agents.clear();
    return mesh[Symbol.asyncDispose]();
  };
  return { client, pods, arrived, answers, [Symbol.asyncDispose]: close };
}

const everywhere = { a: { retry }, b: { retry }, c: { retry } };
const broken: http.RequestListener = (_request, response) => response.writeHead(503).end();

/**
 * A storm: so many requests, some at a time, while the last service fails them all. Returns what arrived at each hop, and
 * what budgets give whatever the load: for the window that went before, and for the time that it took.
 */
async function storm(forwards: boolean, requests: number) {
  await using chain = await openChain({ forwards, routes: everywhere }, broken);
  const { client, arrived } = chain;
  const startMs = performance.now();
  let sent = 0;
  const caller = async () => {
    while (sent++ < requests) await ask(client.podIp, "a", undefined);
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  const [a = 0, b = 0, c = 0] = ["a", "b", "c"].map((name) => arrived.get(name));
  const seconds = (performance.now() - startMs) / 1_000;
  return { a, b, c, floor: retriesPerSecond * (budgetWindowSeconds + seconds) };
}

it("adds at most the budget to the load of a failing service three hops away if the trace context is passed on", async () => {
  const { a, b, c, floor } = await storm(true, 600);
  expect([a, b]).toEqual([600, 600]);
  expect(c).toBeGreaterThan(600);
  expect(c).toBeLessThanOrEqual(600 * 1.2 + floor);
}, 30_000);

it("adds at most the budget at each hop if it is not", async () => {
  const { a, b, c, floor } = await storm(false, 600);
  expect(a).toBeLessThanOrEqual(600 * 1.2 + floor);
  expect(b).toBeLessThanOrEqual(a * 1.2 + floor);
  expect(c).toBeLessThanOrEqual(b * 1.2 + floor);
  expect(c).toBeGreaterThan(b);
}, 30_000);

it("ends an application's calls for a request whose time is over", async () => {
  const routes = { a: { timeout: { connectMs: 1_000, requestMs: 300 } } };
  await using chain = await openChain({ forwards: true, routes }, () => {});
  const { client, answers } = chain;
  expect((await askThrough(client.podIp, "http://a/")).status).toBe(504);
  await eventually(() => answers.length === 2);
  expect(answers.sort()).toEqual(["a 504 deadline_exceeded", "b 504 deadline_exceeded"]);
});

it("lets them continue if the trace context is not passed on, and counts that", async () => {
  let finish: (() => void) | undefined;
  const routes = { a: { timeout: { connectMs: 1_000, requestMs: 300 } } };
  await using chain = await openChain({ forwards: false, routes }, (_request, response) => {
    finish = () => response.end();
  });
  const { client, answers, pods } = chain;
  expect((await askThrough(client.podIp, "http://a/")).status).toBe(504);
  finish?.();
  await eventually(() => answers.length === 2);
  expect(answers.sort()).toEqual(["a 200 ", "b 200 "]);
  const { lostCalls } = (pods.get("a") as TestSidecar).metrics;
  expect(lostCalls.value(lostCalls.slot({ service: "shop/b" }))).toBe(1);
});
