import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type net from "node:net";
import tls from "node:tls";
import { expect, it } from "vitest";
import { defaultCircuitBreakerPolicy, defaultRetryPolicy } from "../../model/defaults.ts";
import { workloadId } from "../support/authority.ts";
import { eventually } from "../support/eventually.ts";
import { askThrough, meshed, nextPodIp, TestMesh } from "../support/sidecar-pair.ts";
import { dialRaw, untilClosed } from "../support/sockets.ts";

it("carries a request through two sidecars, and tells the application who calls", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (request, response) => {
    response.setHeader("x-seen", JSON.stringify(request.headers));
    response.end(`${request.method} ${request.url}`);
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);

  const answer = await askThrough(web.podIp, "http://orders/items?id=42", {
    headers: { "tulle-client-id": "spiffe://cluster.local/ns/shop/sa/admin", "x-forwarded-for": "1.2.3.4" },
  });

  expect(answer.status).toBe(200);
  expect(answer.body).toBe("GET /items?id=42");
  const seen = JSON.parse(String(answer.headers["x-seen"])) as Record<string, string>;
  expect(seen).toMatchObject({
    host: "orders",
    "tulle-client-id": "spiffe://cluster.local/ns/shop/sa/web",
    "x-forwarded-for": "1.2.3.4",
  });
  expect(seen["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  expect(Object.keys(seen).filter((name) => name.startsWith("tulle-"))).toEqual(["tulle-client-id"]);
});

it("carries bodies of megabytes both ways, byte for byte", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (request, response) => request.pipe(response));
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  const body = Buffer.alloc(5_000_000, "0123456789abcdef");

  const answer = await askThrough(web.podIp, "http://orders/echo", { method: "POST", body });

  expect(answer.status).toBe(200);
  expect(answer.body.length).toBe(body.length);
  expect(Buffer.from(answer.body).equals(body)).toBe(true);
});

it("shares one link among all requests of a pod pair", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (_request, response) => response.end("ok"));
  mesh.service("orders", [meshed(orders.podIp, "orders")]);

  const answers = await Promise.all(Array.from({ length: 50 }, () => askThrough(web.podIp, "http://orders/")));

  expect(answers.map(({ status }) => status)).toEqual(Array<number>(50).fill(200));
  expect(orders.sidecar.state().inboundCount).toBe(1);
});

it("serves fetch's way of using a proxy: HTTP/1.1 and HTTP/2 inside CONNECT", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (request, response) => response.end(`${request.method} ${request.url}`));
  mesh.service("orders", [meshed(orders.podIp, "orders")]);

  const catalog = await mesh.sidecar("catalog");
  const server = http2.createServer((request, response) => response.end(`${request.method} ${request.url} over 2`));
  server.listen(8080, catalog.podIp);
  await once(server, "listening");
  mesh.service("catalog", [meshed(catalog.podIp, "catalog")]);

  const tunnel = async (authority: string): Promise<net.Socket> => {
    const target = { method: "CONNECT", path: authority, headers: { host: authority }, agent: false };
    const request = http.request({ host: web.podIp, port: 15_001, ...target });
    request.end();
    const [response, socket] = (await once(request, "connect")) as [http.IncomingMessage, net.Socket];
    expect(response.statusCode).toBe(200);
    return socket;
  };

  const http1 = await tunnel("orders:80");
  http1.write("GET /a HTTP/1.1\r\nhost: orders\r\n\r\n");
  expect(String(await once(http1, "data"))).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*GET \/a/);
  http1.destroy();

  const socket = await tunnel("catalog:80");
  const session = http2.connect("http://catalog", { createConnection: () => socket }).on("error", () => {});
  const stream = session.request({ ":path": "/b" });
  expect(String(await once(stream, "data"))).toBe("GET /b over 2");
  session.destroy();

  // As it would be without a mesh, but said instead of hung.
  const plain = await tunnel("orders:80");
  const wrong = http2.connect("http://orders", { createConnection: () => plain }).on("error", () => {});
  const [head] = (await once(wrong.request({ ":path": "/c" }), "response")) as [http2.IncomingHttpHeaders];
  expect([head[":status"], head["tulle-error"]]).toEqual([503, "refused_stream"]);
  wrong.destroy();
  server.close();
});

it("retries on another endpoint if the policy says so, and reports it", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const [flaky, sound] = [await mesh.sidecar("flaky"), await mesh.sidecar("sound")];
  let failures = 0;
  await mesh.application(flaky.podIp, (_request, response) => {
    failures++;
    response.writeHead(503).end("busy");
  });
  await mesh.application(sound.podIp, (_request, response) => response.end("fine"));
  mesh.service("orders", [meshed(flaky.podIp, "flaky"), meshed(sound.podIp, "sound")], {
    retry: { ...defaultRetryPolicy, initialDelayMs: 10 },
  });

  for (let i = 0; i < 20; i++) {
    const answer = await askThrough(web.podIp, "http://orders/");
    expect([answer.status, answer.body]).toEqual([200, "fine"]);
  }
  expect(failures).toBeGreaterThan(0); // who was never asked is asked next
});

it("does not repeat a POST that may have been processed", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  let requests = 0;
  await mesh.application(orders.podIp, (_request, response) => {
    requests++;
    response.writeHead(503).end("busy");
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")], { retry: { ...defaultRetryPolicy, initialDelayMs: 10 } });

  const post = await askThrough(web.podIp, "http://orders/", { method: "POST", body: "order" });
  expect([post.status, post.body, requests]).toEqual([503, "busy", 1]);
  const put = await askThrough(web.podIp, "http://orders/", { method: "PUT", body: "order" });
  expect([put.status, put.headers["tulle-retried"], requests]).toEqual([503, "2", 4]);
});

it("cuts a slow backend at its timeout, with 504 and the reason", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  const seen: string[] = [];
  const gone: Promise<unknown>[] = [];
  await mesh.application(orders.podIp, (request, response) => {
    seen.push(String(request.headers["x-n"]));
    gone.push(once(response, "close"));
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")], { timeout: { requestMs: 150 } });

  const start = performance.now();
  const answer = await askThrough(web.podIp, "http://orders/", { headers: { "x-n": "1" } });
  const took = performance.now() - start;

  expect(answer.status).toBe(504);
  expect(answer.headers["tulle-error"]).toBe("request_timeout");
  expect(took).toBeGreaterThanOrEqual(149);
  expect(seen).toEqual(["1"]);
  await Promise.all(gone); // the application's work was cancelled
});

it("tries elsewhere when the application refuses the connection, even a POST", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const [dead, sound] = [await mesh.sidecar("dead"), await mesh.sidecar("sound")];
  await mesh.application(sound.podIp, (request, response) => {
    request.pipe(response);
  });
  mesh.service("orders", [meshed(dead.podIp, "dead"), meshed(sound.podIp, "sound")]);

  for (let i = 0; i < 20; i++) {
    const answer = await askThrough(web.podIp, "http://orders/", { method: "POST", body: `order ${i}` });
    expect([answer.status, answer.body]).toEqual([200, `order ${i}`]);
  }
});

it("opens the breaker of a dead endpoint, and answers at once when all are open", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  let requests = 0;
  await mesh.application(orders.podIp, (_request, response) => {
    requests++;
    response.writeHead(500).end();
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  mesh.backend("orders", [meshed(orders.podIp, "orders")], { breaker: defaultCircuitBreakerPolicy });

  const statuses: number[] = [];
  for (let i = 0; i < 10; i++) statuses.push((await askThrough(web.podIp, "http://orders/")).status);

  expect(statuses).toEqual([500, 500, 500, 500, 500, 503, 503, 503, 503, 503]);
  expect(requests).toBe(5);
  const refused = await askThrough(web.podIp, "http://orders/");
  expect(refused.headers["tulle-error"]).toBe("circuit_open");
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
});

it("sends no request to a pod whose certificate is another workload's", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const thief = await mesh.sidecar("thief");
  let requests = 0;
  await mesh.application(thief.podIp, (_request, response) => {
    requests++;
    response.end();
  });
  mesh.service("orders", [meshed(thief.podIp, "orders")]);

  const answer = await askThrough(web.podIp, "http://orders/");

  expect([answer.status, answer.headers["tulle-error"]]).toEqual([503, "identity_mismatch"]);
  expect(answer.body).toContain(workloadId("orders"));
  expect(requests).toBe(0);
});

it("names a meshed endpoint whose mesh port does not answer, and never falls back to plaintext", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const podIp = nextPodIp();
  let requests = 0;
  await mesh.application(podIp, (_request, response) => {
    requests++;
    response.end();
  });
  mesh.service("orders", [meshed(podIp, "orders")]);

  const answer = await askThrough(web.podIp, "http://orders/");

  expect([answer.status, answer.headers["tulle-error"]]).toEqual([503, "mesh_port_unreachable"]);
  expect(requests).toBe(0);
});

it("refuses plaintext, and certificates of another root, on the mesh port", async () => {
  await using mesh = await TestMesh.open();
  await using stranger = await TestMesh.open();
  const orders = await mesh.sidecar("orders");
  let requests = 0;
  await mesh.application(orders.podIp, (_request, response) => {
    requests++;
    response.end();
  });

  const plain = dialRaw({ host: orders.podIp, port: 15_008 });
  plain.write("GET / HTTP/1.1\r\nhost: orders\r\n\r\n");
  let answered = 0;
  plain.on("data", (chunk: Buffer) => {
    answered += chunk.length;
  });
  await untilClosed(plain);
  expect(answered).toBeLessThan(16); // a TLS alert at most

  const credentials = stranger.authority.credentials(workloadId("web"));
  const socket = tls.connect({
    host: orders.podIp,
    port: 15_008,
    cert: credentials.certificateChainPem,
    key: credentials.privateKeyPem,
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  socket.on("error", () => {});
  await untilClosed(socket);
  expect(requests).toBe(0);
  const outcomes = orders.metrics.tlsHandshakes.labelSets.all.map(({ outcome }) => outcome);
  expect(outcomes).toContain("not_tls");
  expect(outcomes).toContain("untrusted");
});

it("renews certificates and replaces links without losing a request", async () => {
  await using mesh = await TestMesh.open({ leafLifetimeMs: 4_000 });
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (_request, response) => response.end("ok"));
  mesh.service("orders", [meshed(orders.podIp, "orders")]);

  const rotate = setInterval(() => {
    web.identity.rotate(mesh.authority.credentials(workloadId("web")));
    orders.identity.rotate(mesh.authority.credentials(workloadId("orders")));
  }, 500);
  const statuses = new Set<number>();
  const until = performance.now() + 6_000;
  let requests = 0;
  while (performance.now() < until) {
    statuses.add((await askThrough(web.podIp, "http://orders/")).status);
    requests++;
  }
  clearInterval(rotate);
  expect(requests).toBeGreaterThan(100);
  expect([...statuses]).toEqual([200]);
}, 20_000);

it("finishes requests in progress when it drains, and accepts no new links", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  let finish: (() => void) | undefined;
  await mesh.application(orders.podIp, (_request, response) => {
    finish = () => response.end("finished");
    response.writeHead(200).write("…");
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);

  const running = askThrough(web.podIp, "http://orders/slow");
  await eventually(() => finish !== undefined);
  expect(orders.sidecar.state().inboundCount).toBe(1);
  const drained = orders.sidecar.drain(5_000);
  finish?.();
  expect((await running).body).toBe("…finished");
  await drained;
  expect(orders.sidecar.state().inboundCount).toBe(0);
});

it("sends callers away without a failed request, and still serves those who come", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  let finish: (() => void) | undefined;
  await mesh.application(orders.podIp, (request, response) => {
    if (request.url !== "/slow") return response.end("quick");
    finish = () => response.end("finished");
    return response.writeHead(200).write("…");
  });
  mesh.service("orders", [meshed(orders.podIp, "orders")]);

  const running = askThrough(web.podIp, "http://orders/slow");
  await eventually(() => finish !== undefined);
  orders.sidecar.sendCallersAway();
  for (let i = 0; i < 20; i++) expect((await askThrough(web.podIp, "http://orders/")).body).toBe("quick");
  // The caller left the old link, and has a new one.
  await eventually(() => orders.sidecar.state().inboundCount === 2);
  finish?.();
  expect((await running).body).toBe("…finished");
  await eventually(() => orders.sidecar.state().inboundCount === 1);
  expect((await askThrough(web.podIp, "http://orders/")).body).toBe("quick");
});

it("forwards what is outside the mesh, and refuses loops through itself", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const outside = nextPodIp();
  const headers: http.IncomingHttpHeaders[] = [];
  await mesh.application(outside, (request, response) => {
    headers.push(request.headers);
    response.end("outside");
  });

  const answer = await askThrough(web.podIp, `http://${outside}:8080/`, { headers: { "tulle-target": "x" } });
  expect(answer.body).toBe("outside");
  expect(headers[0]?.["tulle-target"]).toBeUndefined();
  const unknown = await askThrough(web.podIp, "http://nothing.invalid/");
  expect([unknown.status, unknown.headers["tulle-error"]]).toEqual([502, "destination_unknown"]);
  expect(unknown.body).toContain("nothing.invalid");
  const loop = await askThrough(web.podIp, `http://${web.podIp}:15001/`);
  expect(loop.headers["tulle-error"]).toBe("loop_detected");
});

it("calls nothing outside the mesh if the pod may not, and says why", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web", { outside: "deny" });
  const orders = await mesh.sidecar("orders");
  const seen: string[] = [];
  await mesh.application(orders.podIp, (request, response) => response.end(`${request.url}`));
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  const outside = nextPodIp();
  await mesh.application(outside, (request, response) => {
    seen.push(request.url ?? "");
    response.end();
  });

  const refused = await askThrough(web.podIp, `http://${outside}:8080/a`);
  expect([refused.status, refused.headers["tulle-error"]]).toEqual([403, "outside_denied"]);
  expect(refused.body).toContain(
    `It is ${outside}:8080; the annotation tulle.dev/outside of the caller's pod says deny.`,
  );
  expect((await askThrough(web.podIp, "http://orders/b")).body).toBe("/b");
  expect(seen).toEqual([]);
});
