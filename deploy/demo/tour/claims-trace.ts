/** One request, one trace: who made its spans, and whether each has the right parent. */

import { randomBytes } from "node:crypto";
import type { Claim } from "./claim.ts";
import type { ReceivedSpan } from "./otlp-spans.ts";
import { type Shop, until } from "./shop.ts";

const applications = ["web", "orders", "payments"];
/**
 * Made by the programs themselves: three hops (web to orders, orders to catalog and payments) and the one into web, with a span
 * at both ends of each.
 */
const applicationSpans = 7;

export const traces: Claim = {
  name: "trace",
  title: "one trace across three services",
  async prove(shop: Shop) {
    const traceId = randomBytes(16).toString("hex");
    const clientSpanId = randomBytes(8).toString("hex");
    const headers = { traceparent: `00-${traceId}-${clientSpanId}-01` };
    const answer = await shop.ask("load", { url: "http://web/", headers });
    if (answer.status !== 200) throw new Error(`web answered ${answer.status}: ${answer.body}`);
    const spansOfTrace = () => shop.receiver.spans.filter((span) => span.traceId === traceId);
    await until("all spans of the trace, each below another", () => isWhole(spansOfTrace(), clientSpanId));
    const spans = spansOfTrace();
    const services = [...new Set(spans.map(({ service }) => service))].sort();
    const path = pathUp(spans, spans.find(isPaymentsServer));
    const inOrder = isSubsequence(["payments", "orders", "web"], path);
    return {
      ok: inOrder && applications.every((name) => services.includes(name)),
      says: `${spans.length} spans of ${services.length} services, every parent known; upwards from payments: ${path.join(" < ")}`,
      figures: { spans: spans.length, services: services.join(" "), path: path.join(" < ") },
    };
  },
};

function isWhole(spans: readonly ReceivedSpan[], clientSpanId: string): boolean {
  const known = new Set([clientSpanId, ...spans.map(({ spanId }) => spanId)]);
  const enough = spans.length >= applicationSpans && spans.some(isPaymentsServer);
  return enough && spans.every(({ parentSpanId }) => known.has(parentSpanId));
}

function isPaymentsServer({ service, name }: ReceivedSpan): boolean {
  return service === "payments" && name === "POST /payments";
}

/**
 * The services on the way from a span to its root, consecutive repetitions removed: a service's sidecar also makes spans in its
 * name.
 */
function pathUp(spans: readonly ReceivedSpan[], from: ReceivedSpan | undefined): readonly string[] {
  const above = new Map(spans.map((span) => [span.spanId, span]));
  const path: string[] = [];
  for (let span = from; span !== undefined; span = above.get(span.parentSpanId)) {
    if (path.at(-1) !== span.service) path.push(span.service);
    // Each span is visited once, even if somebody sends a cycle of parents.
    above.delete(span.spanId);
  }
  return path;
}

function isSubsequence(wanted: readonly string[], path: readonly string[]): boolean {
  let found = 0;
  for (const step of path) if (step === wanted[found]) found += 1;
  return found === wanted.length;
}
