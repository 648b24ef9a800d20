/**
 * From outside through a node's port into a real nginx, which looks up pods itself as ingress controllers do, and onwards by
 * the Host that it sets: routes and splits apply behind it, and each pod recognises it by its certificate.
 */

import { afterAll, beforeAll, expect, it } from "vitest";
import {
  accountOf,
  apply,
  ask,
  deployment,
  eventually,
  failuresOf,
  kubectl,
  namespace,
  nodeIp,
  nodePort,
  podOf,
  rolledOut,
  scenario,
  service,
} from "./cluster.ts";

const shop = "node-ingress";
const outside = "node-outside";
const seenWithinMs = 1_000;

/** What an ingress controller makes of an Ingress: pods as upstream, connections kept, the Service's name as Host. */
const nginxConfig = (pod: string) => `
daemon off;
error_log /dev/stderr warn;
pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  upstream shop { server ${pod}:8080; keepalive 16; }
  server {
    listen 8080;
    location = /healthz { return 200; }
    location / {
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host server.${shop}.svc.cluster.local;
    }
  }
}
`;

beforeAll(async () => {
  const version = (name: string, text: string) => [
    ...deployment({ namespace: shop, name, program: "server", env: { VERSION: text } }),
    service(shop, name, { app: name }),
  ];
  const ingress = service(shop, "ingress", { app: "ingress" });
  await apply([
    ...namespace(shop, true),
    ...namespace(outside, false),
    ...version("server-v1", "v1"),
    ...version("server-v2", "v2"),
    service(shop, "server", { app: "server-v1" }),
    {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "TrafficSplit",
      metadata: { name: "server", namespace: shop },
      spec: { service: "server", backends: splitBetween(100, 0) },
    },
    { ...ingress, spec: { ...(ingress["spec"] as object), type: "NodePort" } },
  ]);
  await rolledOut(shop, "server-v1", "server-v2");
  const { status } = await podOf(shop, "app=server-v1");
  await apply([
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "nginx", namespace: shop },
      data: { "nginx.conf": nginxConfig(status.podIP) },
    },
    ...scenario({
      namespace: shop,
      name: "ingress",
      annotations: { "tulle.dev/route-by": "host" },
      container: {
        command: ["nginx", "-c", "/etc/ingress/nginx.conf"],
        ports: [{ name: "http", containerPort: 8_080 }],
        readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1 },
        volumeMounts: [{ name: "nginx", mountPath: "/etc/ingress" }],
      },
      pod: { volumes: [{ name: "nginx", configMap: { name: "nginx" } }] },
    }),
  ]);
  await rolledOut(shop, "ingress");
  const url = `http://${nodeIp}:${await nodePort(shop, "ingress")}/`;
  await apply(deployment({ namespace: outside, name: "client", program: "client", env: { URL: url, RATE: "100" } }));
  await rolledOut(outside, "client");
});

afterAll(async () => {
  await kubectl("delete", "namespace", shop, outside, "--wait=false");
});

function splitBetween(v1: number, v2: number): readonly object[] {
  return [
    { service: "server-v1", weight: v1 },
    { service: "server-v2", weight: v2 },
  ];
}

it("tells the workloads behind it that the ingress calls, by its certificate", async () => {
  const who = await ask(outside, "client", `http://${nodeIp}:${await nodePort(shop, "ingress")}/who`);
  expect(who).toBe(`200 spiffe://cluster.local/ns/${shop}/sa/ingress`);
});

it(`moves a canary behind it within ${seenWithinMs} ms of kubectl patch, and loses no request of who calls from outside`, async () => {
  await eventually("200 requests", async () => ((await accountOf(outside, "client")).sent > 200 ? true : undefined));
  expect(Object.keys((await accountOf(outside, "client")).answers)).toEqual(["200 v1"]);
  const patch = JSON.stringify({ spec: { backends: splitBetween(0, 100) } });
  await kubectl("-n", shop, "patch", "trafficsplit", "server", "--type=merge", "-p", patch);
  const patchedAtMs = Date.now();
  const account = await eventually("answers of v2", async () => {
    const now = await accountOf(outside, "client");
    return (now.answers["200 v2"] ?? 0) > 100 ? now : undefined;
  });
  expect((account.firstSeen["200 v2"] ?? Number.POSITIVE_INFINITY) - patchedAtMs).toBeLessThan(seenWithinMs);
  const later = await eventually("100 requests more", async () => {
    const now = await accountOf(outside, "client");
    return now.sent > account.sent + 100 ? now : undefined;
  });
  expect(later.answers["200 v1"]).toBe(account.answers["200 v1"]);
  expect(failuresOf(later)).toEqual({});
});
