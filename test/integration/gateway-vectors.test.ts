/**
 * What the Gateway API's conformance tests and GEP-1742 (timeouts) and GEP-1731 (retries) ask of an HTTPRoute, through two
 * sidecars: https://github.com/kubernetes-sigs/gateway-api/tree/main/conformance/tests
 */

import type http from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Pipeline } from "../../control-plane/pipeline.ts";
import { changeOf, serviceYaml } from "../support/manifests.ts";
import { askThrough, meshed, nextPodIp, TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";

interface Vector {
  readonly says: string;
  readonly rule: string;
  /** What the application does with its n-th request; the last for all that follow. */
  readonly tries: readonly { readonly status: number; readonly delayMs?: number }[];
  readonly method?: string;
  readonly status: number;
  /** How often the application was asked. */
  readonly asked: number | readonly [least: number, most: number];
}

const late = { status: 200, delayMs: 1_000 };
const fine = { status: 200, delayMs: 0 };
const vectors: readonly Vector[] = [
  { says: "request: in time", rule: "timeouts: {request: 500ms}", tries: [fine], status: 200, asked: 1 },
  { says: "request: too late", rule: "timeouts: {request: 500ms}", tries: [late], status: 504, asked: 1 },
  { says: "request 0s: no limit", rule: "timeouts: {request: 0s}", tries: [late], status: 200, asked: 1 },
  { says: "backendRequest: too late", rule: "timeouts: {backendRequest: 500ms}", tries: [late], status: 504, asked: 1 },
  { says: "backendRequest 0s: no limit", rule: "timeouts: {backendRequest: 0s}", tries: [late], status: 200, asked: 1 },
  {
    says: "request holds though backendRequest has no limit",
    rule: "timeouts: {request: 500ms, backendRequest: 0s}",
    tries: [late],
    status: 504,
    asked: 1,
  },
  {
    says: "codes: those that are listed, until one is fine",
    rule: "retry: {codes: [500, 503], attempts: 2, backoff: 10ms}",
    tries: [{ status: 500 }, { status: 503 }, fine],
    status: 200,
    asked: 3,
  },
  {
    says: "codes: no others",
    rule: "retry: {codes: [503], attempts: 2, backoff: 10ms}",
    tries: [{ status: 500 }],
    status: 500,
    asked: 1,
  },
  {
    says: "attempts counts retries, and the last answer stands",
    rule: "retry: {codes: [503], attempts: 1, backoff: 10ms}",
    tries: [{ status: 503 }],
    status: 503,
    asked: 2,
  },
  {
    says: "attempts 0: none",
    rule: "retry: {codes: [503], attempts: 0}",
    tries: [{ status: 503 }],
    status: 503,
    asked: 1,
  },
  {
    says: "a POST that may have been processed is not repeated",
    rule: "retry: {codes: [503], attempts: 2, backoff: 10ms}",
    tries: [{ status: 503 }],
    method: "POST",
    status: 503,
    asked: 1,
  },
  {
    says: "backendRequest is of each try: what is late is tried again",
    rule: "retry: {codes: [504], attempts: 1, backoff: 10ms}, timeouts: {request: 10s, backendRequest: 300ms}",
    tries: [late, fine],
    status: 200,
    asked: 2,
  },
  {
    says: "request is of all tries together",
    rule: "retry: {codes: [504], attempts: 50, backoff: 10ms}, timeouts: {request: 900ms, backendRequest: 200ms}",
    tries: [late],
    status: 504,
    asked: [2, 5],
  },
];

let mesh: TestMesh;
let web: TestSidecar;
const asked = new Map<string, number>();

const answer: http.RequestListener = (request, response) => {
  const place = Number(request.url?.slice(2));
  const count = asked.get(`/${place}`) ?? 0;
  asked.set(`/${place}`, count + 1);
  const tries = vectors[place]?.tries ?? [];
  const { status, delayMs = 0 } = tries[Math.min(count, tries.length - 1)] ?? fine;
  const respond = () => response.writeHead(status).end();
  if (delayMs === 0) respond();
  else setTimeout(respond, delayMs);
};

/** A rule for each vector, all in one route. Routes may have 16. */
function routeYaml(backend: string): string {
  const rules = vectors.map(
    ({ rule }, place) =>
      `{matches: [{path: {type: Exact, value: /v${place}}}], backendRefs: [{name: ${backend}, port: 80}], ${rule}}`,
  );
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: shop, name: r},
    spec: {parentRefs: [{group: "", kind: Service, name: orders}], rules: [${rules.join(",\n")}]}}`;
}

beforeAll(async () => {
  mesh = await TestMesh.open();
  web = await mesh.sidecar("web");
  const { podIp } = await mesh.sidecar("orders");
  await mesh.application(podIp, answer);
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  pipeline.apply(changeOf(`${serviceYaml("orders")}\n${routeYaml("orders")}`));
  for (const { resource } of pipeline.snapshot.list("destination")) mesh.resources.set(resource);
  mesh.backend("orders", [meshed(podIp, "orders")]);
});

afterAll(() => mesh[Symbol.asyncDispose]());

it.concurrent.each(vectors.map((vector, place) => ({ ...vector, place })))(
  "$says",
  async ({ place, method = "GET", status, asked: often }) => {
    const [least, most] = typeof often === "number" ? [often, often] : often;
    const { status: got } = await askThrough(web.podIp, `http://orders/v${place}`, { method });
    expect(got).toBe(status);
    expect(asked.get(`/${place}`)).toBeGreaterThanOrEqual(least);
    expect(asked.get(`/${place}`)).toBeLessThanOrEqual(most);
  },
);

it("tries another endpoint when there is no connection to the first, whatever the codes", async () => {
  const { podIp } = await mesh.sidecar("second");
  await mesh.application(podIp, (_request, response) => response.end());
  const gone = { address: `${nextPodIp()}:8080`, pod: "gone", state: "ready" as const };
  mesh.service("pair", [gone, meshed(podIp, "second")]);
  const answers = await Promise.all(Array.from({ length: 10 }, () => askThrough(web.podIp, "http://pair/")));
  expect(answers.map(({ status }) => status)).toEqual(Array<number>(10).fill(200));
});
