/**
 * Types docs/getting-started.md into a cluster as it is, measures the time to the shop's first requests, and checks Jaeger's
 * traces in more detail than a reader would.
 */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  isPaymentsServer,
  JaegerQuery,
  type JaegerSpan,
  orderUpwards,
  orphansIn,
  spansUp,
  wayUp,
} from "../../observability/jaeger-query.ts";
import { eventually, helm, kubectl, podOf, run } from "./cluster.ts";
import { readSteps, Terminal } from "./document.ts";
import { installCharts } from "./setup.ts";

const root = join(import.meta.dirname, "../../..");
const steps = readSteps(join(root, "docs/getting-started.md")).map(
  (step, index) => [index + 1, step.heading, step] as const,
);
/** What it does away with is looked at before. */
const isCleanUp = ([, heading]: (typeof steps)[number]) => heading.endsWith("Clean up");
/** From the first command on, before `helm install`, to the shop's requests seen over mutual TLS. */
const shownWithinMs = 60_000;
const shown = steps.findIndex(([, heading]) => heading.endsWith("Traffic")) + 1;
const undo = new DisposableStack();
let terminal: Terminal;
let startMs: number;

beforeAll(async () => {
  await run(join(root, "test/cluster/image"), ["jaeger"]);
  // Another scenario has the same shop. The charts are gone already, unless this one is run by itself.
  await kubectl("delete", "namespace", "shop", "observability", "--ignore-not-found");
  await helm("uninstall", "tulle", "--namespace", "tulle-system", "--ignore-not-found", "--wait");
  await helm("uninstall", "tulle-crds", "--ignore-not-found");
  terminal = undo.use(new Terminal(root, ". test/cluster/env.sh"));
  startMs = performance.now();
});

afterAll(async () => {
  undo.dispose();
  // What is left where a step has failed; and the mesh again, for whoever comes next.
  await kubectl("delete", "namespace", "shop", "observability", "--ignore-not-found", "--wait=false");
  await installCharts();
});

const [first, rest] = [steps.slice(0, shown), steps.slice(shown).filter((step) => !isCleanUp(step))];

it.each(first)("step %d: %s", async (_, __, step) => {
  expect(await terminal.take(step)).toBeUndefined();
});

it(`has shown the shop's requests over mutual TLS ${shownWithinMs / 1_000} s after the first command`, () => {
  expect(first.at(-1)?.[2].shows?.at(-1)).toMatch(/^shop\/load .* yes$/);
  expect(performance.now() - startMs).toBeLessThan(shownWithinMs);
});

it.each(rest)("step %d: %s", async (_, __, step) => {
  expect(await terminal.take(step)).toBeUndefined();
});

/** The first of Jaeger's that holds, once all of its spans have come. */
async function traceThat(
  service: string,
  tags: Readonly<Record<string, string>>,
  holds: (spans: readonly JaegerSpan[]) => boolean,
): Promise<readonly JaegerSpan[]> {
  const { status } = await podOf("observability", "app=jaeger");
  const jaeger = new JaegerQuery(`http://${status.podIP}:16686`);
  return await eventually(`a whole trace of ${service} with ${JSON.stringify(tags)}`, async () => {
    const traces = await jaeger.traces(service, tags);
    return traces.find((spans) => orphansIn(spans).length === 1 && holds(spans));
  });
}

const isError = ({ tags }: JaegerSpan) => tags.get("error") === true;

it("has left a trace over four services, every span below the one that caused it", async () => {
  const spans = await traceThat(
    "payments",
    {},
    (all) => wayUp(all, all.find(isPaymentsServer)).length === orderUpwards.length && !all.some(isError),
  );
  expect(wayUp(spans, spans.find(isPaymentsServer))).toEqual(orderUpwards);
  expect(new Set(spans.map(({ service }) => service)).size).toBeGreaterThanOrEqual(4);
});

it("has left a trace with a retry: tries side by side, the first one failed, below a request that did not", async () => {
  const spans = await traceThat("orders", { "tulle.attempt": "2", "tulle.retry_reason": "503" }, () => true);
  const again = spans.find(({ tags }) => tags.get("tulle.attempt") === 2 && tags.has("tulle.retry_reason"));
  const tries = spans.filter(({ parentSpanId }) => parentSpanId === again?.parentSpanId);
  const first = tries.find(({ tags }) => tags.get("tulle.attempt") === 1);
  expect(first && isError(first)).toBe(true);
  expect(first?.tags.get("http.response.status_code")).toBe(503);
  const request = spans.find(({ spanId }) => spanId === again?.parentSpanId);
  expect([request?.service, request && isError(request)]).toEqual(["orders", false]);
});

it("has left a trace that is an error all the way from the mesh's own answer up to the visit", async () => {
  const isRefused = ({ tags }: JaegerSpan) => tags.get("error.type") === "no_endpoints";
  const wayOf = (all: readonly JaegerSpan[]) => spansUp(all, all.find(isRefused));
  const servicesOf = (all: readonly JaegerSpan[]) => [...new Set(wayOf(all).map(({ service }) => service))].join();
  // Without those of its callers it may be but the part of a trace that has come so far.
  const isWhole = (all: readonly JaegerSpan[]) => servicesOf(all) === "orders,web,load";
  const way = wayOf(await traceThat("orders", { "error.type": "no_endpoints" }, isWhole));
  expect(way.filter((span) => !isError(span))).toEqual([]);
});

it.each(steps.filter(isCleanUp))("step %d: %s", async (_, __, step) => {
  expect(await terminal.take(step)).toBeUndefined();
});
