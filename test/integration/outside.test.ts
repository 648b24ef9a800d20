/** Requests without a destination in the mesh: each refusal, and each failure on the way past the mesh, is visible. */

import net from "node:net";
import { expect, it } from "vitest";
import type { TappedRequest } from "../../sidecar/debug/request-taps.ts";
import type { Span } from "../../sidecar/telemetry/span.ts";
import type { LogFields } from "../../system/log.ts";
import { eventually } from "../support/eventually.ts";
import {
  askThrough,
  meshed,
  nextPodIp,
  type SidecarChoices,
  TestMesh,
  type TestSidecar,
} from "../support/sidecar-pair.ts";

/** A sidecar, and all that can be seen of what its application asks. */
async function observed(mesh: TestMesh, choices: SidecarChoices) {
  const spans: Span[] = [];
  const lines: LogFields[] = [];
  const tapped: TappedRequest[] = [];
  const web = await mesh.sidecar("web", {
    accessLog: { requests: "all", ratio: 1 },
    errorSpans: { push: (span) => void spans.push(span) },
    log: (_level, message, fields) => void (message === "request" && fields && lines.push(fields)),
    ...choices,
  });
  web.taps.open({}, 1_000, { take: (request) => tapped.push(request) > 0 });
  return { web, spans, lines, tapped };
}

function counted({ metrics: { requests } }: TestSidecar) {
  return requests.labelSets.entries.map(([slot, { service, code, error, tls }]) => ({
    service,
    code,
    error,
    tls,
    count: requests.value(slot),
  }));
}

it("shows refused calls to outside everywhere", async () => {
  await using mesh = await TestMesh.open();
  const { web, spans, lines, tapped } = await observed(mesh, { outside: "deny" });
  const address = `${nextPodIp()}:8080`;

  expect((await askThrough(web.podIp, `http://${address}/a?key=secret`)).headers["tulle-error"]).toBe("outside_denied");

  expect(counted(web)).toEqual([{ service: "outside", code: "403", error: "outside_denied", tls: "", count: 1 }]);
  expect(tapped).toMatchObject([{ from: "shop/web", to: address, path: "/a", status: 403, error: "outside_denied" }]);
  expect(lines).toMatchObject([{ service: address, path: "/a", status: 403, error: "outside_denied" }]);
  expect(spans).toMatchObject([
    { kind: "client", attributes: { "error.type": "outside_denied", "server.port": 8080, "url.path": "/a" } },
  ]);
});

it("shows calls to unknown destinations if the pod requires mutual TLS", async () => {
  await using mesh = await TestMesh.open();
  const { web, spans, lines, tapped } = await observed(mesh, { outboundMtls: "required", silent: true });

  const { status, headers } = await askThrough(web.podIp, "http://orders/");

  expect([status, headers["tulle-error"]]).toEqual([503, "no_policy_yet"]);
  expect(counted(web)).toEqual([{ service: "unknown", code: "503", error: "no_policy_yet", tls: "", count: 1 }]);
  const name = "orders.shop.svc.cluster.local:80";
  expect(tapped).toMatchObject([{ to: name, error: "no_policy_yet" }]);
  expect(lines).toMatchObject([{ service: name, error: "no_policy_yet" }]);
  expect(spans.map(({ attributes }) => attributes["error.type"])).toEqual(["no_policy_yet"]);
});

it("shows failed calls past the mesh; successful ones have no span and no added field", async () => {
  await using mesh = await TestMesh.open();
  const { web, spans, tapped } = await observed(mesh, {});
  const outside = nextPodIp();
  const seen: string[] = [];
  await mesh.application(outside, (request, response) => {
    seen.push(...Object.keys(request.headers));
    response.end("outside");
  });

  expect((await askThrough(web.podIp, `http://${outside}:8080/`)).body).toBe("outside");
  expect(seen).not.toContain("traceparent");
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  await askThrough(web.podIp, `http://${outside}:9/`, { headers: { traceparent } });

  expect(counted(web)).toEqual([
    { service: "outside", code: "200", error: "", tls: "", count: 1 },
    { service: "outside", code: "503", error: "connect_failed", tls: "", count: 1 },
  ]);
  expect(tapped.map(({ to, error }) => [to, error])).toEqual([
    [`${outside}:8080`, undefined],
    [`${outside}:9`, "connect_failed"],
  ]);
  expect(spans).toMatchObject([{ parentSpanId: "00f067aa0ba902b7", attributes: { "error.type": "connect_failed" } }]);
});

it("counts a tunnel past the mesh that can't be opened, and one to the sidecar itself", async () => {
  await using mesh = await TestMesh.open();
  const { web, tapped, spans } = await observed(mesh, {});
  const open = (authority: string) => {
    const socket = net.connect(15_001, web.podIp, () =>
      socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`),
    );
    socket.on("data", () => socket.write("\u0001\u0002\u0003\u0004")).on("error", () => {});
  };
  open(`${nextPodIp()}:9`);
  await eventually(() => tapped.length === 1);
  expect(tapped).toMatchObject([{ method: "CONNECT", status: 503, error: "connect_failed" }]);
  expect(spans).toMatchObject([{ attributes: { "error.type": "connect_failed" } }]);
  open(`${web.podIp}:15001`);
  const { refused } = web.metrics;
  const loops = refused.slot({ listener: "outbound", code: "loop_detected" });
  await eventually(() => refused.value(loops) === 1);
});

it("has no series for outside if every call had a destination in the mesh", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (_request, response) => response.end("ok"));
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  expect((await askThrough(web.podIp, "http://orders/")).body).toBe("ok");

  web.sidecar.close();
  expect(web.sidecar.state().destinations.known).toEqual([]);
  const { requestDuration, refused } = web.metrics;
  expect(requestDuration.labelSets.all.map(({ service }) => service).sort()).toEqual(["shop/orders", "shop/web"]);
  expect(refused.labelSets.all).toEqual([]);
});
