/** IdempotencyPolicy over real sockets: payments that are asked for again and again, and made once. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type http from "node:http";
import http2 from "node:http2";
import type net from "node:net";
import tls from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultRetryPolicy } from "../../model/defaults.ts";
import type { AnswerStore, NamedIdempotencyRules } from "../../model/policy.ts";
import { workloadId } from "../support/authority.ts";
import { Cutter } from "../support/cutter.ts";
import { eventually } from "../support/eventually.ts";
import { RedisServer } from "../support/redis.ts";
import { type Answer, askThrough, meshed, TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";
import { RawClient } from "../support/sockets.ts";

function rulesOf(store: AnswerStore): NamedIdempotencyRules {
  return {
    name: "shop/payments",
    methods: ["POST"],
    required: true,
    ttlMs: 3_600_000,
    maxAnswerBytes: 100_000,
    store,
    onStoreFailure: "reject",
  };
}

/** A shop with two replicas of `payments`, each with an application that counts what it does by order. */
class Payments implements AsyncDisposable {
  readonly mesh: TestMesh;
  readonly web: TestSidecar;
  readonly replicas: readonly TestSidecar[];
  /** How often each order was paid, by any replica. */
  readonly made = new Map<string, number>();
  /** Where each was paid. */
  readonly madeAt = new Map<string, string>();
  /** Waits for it before it answers. */
  answerWhen: Promise<void> | undefined;

  private constructor(mesh: TestMesh, web: TestSidecar, replicas: readonly TestSidecar[]) {
    this.mesh = mesh;
    this.web = web;
    this.replicas = replicas;
  }

  static async open(store: AnswerStore, redisUrlFile?: string): Promise<Payments> {
    const mesh = await TestMesh.open();
    const replica = () => mesh.sidecar("payments", redisUrlFile === undefined ? {} : { redisUrlFile });
    const payments = new Payments(mesh, await mesh.sidecar("web"), [await replica(), await replica()]);
    payments.apply(rulesOf(store));
    for (const { podIp } of payments.replicas) {
      await mesh.application(podIp, (request, response) => void payments.#pay(podIp, request, response));
    }
    const policy = { ...defaultRetryPolicy, initialDelayMs: 5, retryOn: ["reset", "503", "connect-failure"] } as const;
    mesh.service("payments", payments.#endpoints, { retry: policy });
    payments.know(store);
    return payments;
  }

  get #endpoints() {
    return this.replicas.map(({ podIp }) => meshed(podIp, "payments"));
  }

  apply(idempotency: NamedIdempotencyRules): void {
    const ports = [{ port: 8080, protocol: "detect" as const, idempotency }];
    this.mesh.resources.set({ kind: "inbound", value: { name: "shop/payments", ports } });
  }

  /** What callers are told. */
  know(store: AnswerStore, endpoints = this.#endpoints): void {
    this.mesh.backend("payments", endpoints, { idempotency: { methods: ["POST"], store } });
  }

  ask(key: string, body = key, headers: Record<string, string> = {}): Promise<Answer> {
    const options = { method: "POST", body, headers: { "idempotency-key": key, ...headers } };
    return askThrough(this.web.podIp, "http://payments/pay", options);
  }

  /** As an application does it: the whole request first, then the work, then the answer, in pieces and with a trailer. */
  async #pay(podIp: string, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const order = await readWhole(request);
    if (order === undefined) return;
    const count = (this.made.get(order) ?? 0) + 1;
    this.made.set(order, count);
    this.madeAt.set(order, podIp);
    await this.answerWhen;
    response.writeHead(201, { trailer: "x-order", "x-count": count, "set-cookie": ["a=1", "b=2"] });
    response.write(`paid ${order} `);
    response.addTrailers({ "x-order": order });
    response.end("once");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh[Symbol.asyncDispose]();
  }
}

/** Undefined: the rest of it will not come. */
async function readWhole(request: http.IncomingMessage): Promise<string | undefined> {
  let text = "";
  try {
    for await (const chunk of request) text += String(chunk);
  } catch {
    return undefined;
  }
  return text;
}

/** A link of a client without a sidecar that has `web`'s certificate. */
function openLink(payments: Payments, host: string, port = 15_008): http2.ClientHttp2Session {
  const { certificateChainPem, privateKeyPem, trustBundlePem } = payments.web.identity.current();
  const socket = tls.connect({
    host,
    port,
    cert: certificateChainPem,
    key: privateKeyPem,
    ca: trustBundlePem,
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  const session = http2.connect("http://payments", { createConnection: () => socket });
  session.on("error", () => {}); // whoever asks over it learns that it is gone
  return session;
}

/** Pays over a link that may break at any moment; undefined: there was no whole answer. */
async function payOnce(session: http2.ClientHttp2Session, to: TestSidecar, key: string): Promise<string | undefined> {
  const { promise: broken, resolve } = Promise.withResolvers<undefined>();
  session.on("close", () => resolve(undefined));
  return Promise.race([payOver(session, `${to.podIp}:8080`, key), broken]);
}

/** The whole answer in one text, trailers too; undefined: there was none. */
async function payOver(session: http2.ClientHttp2Session, target: string, key: string): Promise<string | undefined> {
  const headers = { ":method": "POST", ":path": "/pay", "tulle-target": target, "idempotency-key": key };
  const stream = session.request(headers);
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("trailers", (fields: http2.IncomingHttpHeaders) => {
    trailers = fields;
  });
  try {
    stream.end(key);
    const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
    let body = "";
    for await (const chunk of stream) body += String(chunk);
    return [head[":status"], head["x-count"], head["set-cookie"], body, trailers["x-order"]].map(String).join(" ");
  } catch {
    return undefined; // the connection was cut
  }
}

const paid = (key: string) => `201 1 a=1,b=2 paid ${key} once ${key}`;

/** A repeat may have joined a try that was just being given up, and then asks once more. */
async function payUntilDone(session: http2.ClientHttp2Session, to: TestSidecar, key: string): Promise<string> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const answer = await payOver(session, `${to.podIp}:8080`, key);
    if (answer?.startsWith("502 ") !== true) return answer ?? "no answer";
  }
  return "no end of failures";
}

/**
 * Cuts the link to the first replica after each number of bytes, both ways, and asks another one again, over a link that stays.
 * `stride`: of the exchange itself; a link's handshake is looked at here and there. Returns how often a link was cut.
 */
async function cutEverywhere(payments: Payments, again: TestSidecar, stride: number): Promise<number> {
  const [first] = payments.replicas as [TestSidecar];
  const cutter = await Cutter.before(first.podIp, 15_008);
  const sound = openLink(payments, again.podIp);
  const payOverCut = async (key: string) => {
    const link = openLink(payments, "127.0.0.1", cutter.port);
    const answer = await payOnce(link, first, key);
    link.destroy();
    return answer;
  };
  await payOverCut("the whole exchange");
  const whole = { ...cutter.passed };
  let cuts = 0;
  for (const way of ["toServer", "toClient"] as const) {
    for (let at = 1; at <= whole[way]; at += at < whole[way] - exchangeBytes ? 97 : stride) {
      const key = `${way} ${at}`;
      cutter.cut = { [way]: at };
      const answer = await payOverCut(key);
      if (answer === undefined) cuts++;
      expect(answer ?? (await payUntilDone(sound, again, key))).toBe(paid(key));
      expect(payments.made.get(key)).toBe(1);
    }
  }
  sound.destroy();
  cutter.close();
  return cuts;
}

/** At least what request and answer take, each way, behind the handshake. */
const exchangeBytes = 400;

/** What mesh ports of this process have accepted. */
const links: net.Socket[] = [];

function noteLink(message: unknown): void {
  const { socket } = message as { readonly socket: net.Socket };
  if (socket.localPort === 15_008) links.push(socket);
}

beforeAll(() => subscribe("net.server.socket", noteLink));
afterAll(() => {
  unsubscribe("net.server.socket", noteLink);
});

describe("in memory", () => {
  let payments: Payments;

  beforeAll(async () => {
    payments = await Payments.open("memory");
  });

  afterAll(async () => {
    await payments[Symbol.asyncDispose]();
  });

  it("gives every caller of a key the same answer, of the one pod that has it", async () => {
    const answers: Answer[] = [];
    for (let i = 0; i < 5; i++) answers.push(await payments.ask("order 1"));
    expect(answers.map(({ status, body }) => [status, body])).toEqual(Array(5).fill([201, "paid order 1 once"]));
    const replays = answers.map(({ headers }) => headers["tulle-idempotent-replay"]);
    expect(replays).toEqual([undefined, "true", "true", "true", "true"]);
    const [first, ...others] = answers.map(({ headers }) => ({
      ...headers,
      "tulle-idempotent-replay": "",
      connection: "",
    }));
    for (const other of others) expect(other).toEqual(first);
    expect(payments.made.get("order 1")).toBe(1);
  });

  it("joins repeats in flight", async () => {
    const hold = Promise.withResolvers<void>();
    payments.answerWhen = hold.promise;
    const answers = Promise.all(Array.from({ length: 10 }, () => payments.ask("order 2")));
    await eventually(() => payments.made.get("order 2") === 1);
    payments.answerWhen = undefined;
    hold.resolve();
    expect((await answers).map(({ body }) => body)).toEqual(Array(10).fill("paid order 2 once"));
    expect(payments.made.get("order 2")).toBe(1);
  });

  it("knows what was paid before a scale-up, and while its pod terminates", async () => {
    const [first, second] = payments.replicas.map(({ podIp }) => meshed(podIp, "payments"));
    if (first === undefined || second === undefined) throw new Error("there are two replicas");
    payments.know("memory", [first]);
    const orders = Array.from({ length: 20 }, (_, i) => `early order ${i}`);
    for (const order of orders) await payments.ask(order);
    for (const former of [first, { ...first, state: "terminating" as const }]) {
      payments.know("memory", [former, second]);
      for (const order of orders) await payments.ask(order);
    }
    expect(orders.map((order) => payments.made.get(order))).toEqual(orders.map(() => 1));
    payments.know("memory");
  });

  it("refuses a request without a key, and a key with another request", async () => {
    const code = ({ status, headers }: Answer) => [status, headers["tulle-error"]];
    expect(code(await askThrough(payments.web.podIp, "http://payments/pay", { method: "POST", body: "x" }))).toEqual([
      400,
      "idempotency_key_missing",
    ]);
    await payments.ask("order 3");
    expect(code(await payments.ask("order 3", "another"))).toEqual([422, "idempotency_key_reused"]);
    expect(payments.made.has("another")).toBe(false);
  });

  it("gives nobody what another workload was answered", async () => {
    const other = await payments.mesh.sidecar("other");
    await payments.ask("order 4");
    const options = { method: "POST", body: "order 4", headers: { "idempotency-key": "order 4" } };
    const answer = await askThrough(other.podIp, "http://payments/pay", options);
    expect([answer.headers["x-count"], answer.headers["tulle-idempotent-replay"]]).toEqual(["2", undefined]);
  });

  it("keeps its answers over a change of the policy", async () => {
    await payments.ask("order 5");
    payments.apply({ ...rulesOf("memory"), ttlMs: 60_000, required: false });
    expect((await payments.ask("order 5")).headers["tulle-idempotent-replay"]).toBe("true");
    payments.apply(rulesOf("memory"));
  });

  it("loses no payment and makes none twice when the caller's sidecar loses its link in the middle", async () => {
    const hold = Promise.withResolvers<void>();
    payments.answerWhen = hold.promise;
    const answer = payments.ask("order 6");
    await eventually(() => payments.made.get("order 6") === 1);
    const lost = links.filter(({ destroyed }) => !destroyed);
    for (const link of lost) link.destroy();
    expect(lost.length).toBeGreaterThan(0);
    await eventually(() => lost.every((link) => link.closed));
    payments.answerWhen = undefined;
    hold.resolve();
    expect((await answer).body).toBe("paid order 6 once");
    expect(payments.made.get("order 6")).toBe(1);
  });

  it("makes no payment twice whichever byte of the exchange is the last, and answers in the end", async () => {
    const cuts = await cutEverywhere(payments, payments.replicas[0] as TestSidecar, 1);
    expect(cuts).toBeGreaterThan(500);
  }, 240_000);

  it("makes no payment twice for an application that loses its sidecar at any byte", async () => {
    const cutter = await Cutter.before(payments.web.podIp, 15_001);
    const text = (key: string) =>
      `POST http://payments/pay HTTP/1.1\r\nHost: payments\r\nIdempotency-Key: ${key}\r\nContent-Length: ${key.length}\r\n\r\n${key}`;
    const length = text("app toServer 000").length;
    for (const [way, most] of [
      ["toServer", length],
      ["toClient", 300],
    ] as const) {
      for (let at = 1; at <= most; at++) {
        const key = `app ${way} ${String(at).padStart(3, "0")}`;
        cutter.cut = { [way]: at };
        const first = new RawClient(cutter.port).send(text(key));
        const isWhole = (got: string) => got.includes(`x-order: ${key}\r\n\r\n`) || got.includes("tulle-error");
        await Promise.race([first.closed, first.receive(isWhole).catch(() => {})]);
        first.socket.destroy();
        cutter.cut = {};
        expect((await payments.ask(key)).body).toBe(`paid ${key} once`);
        expect(payments.made.get(key)).toBe(1);
      }
    }
    cutter.close();
  }, 60_000);
});

describe("in Redis", () => {
  let redis: RedisServer;
  let payments: Payments;

  beforeAll(async () => {
    redis = await RedisServer.start();
    payments = await Payments.open("redis", redis.urlFile);
  });

  afterAll(async () => {
    await payments[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  it("gives the same answer at every replica, also while it is still to come", async () => {
    const hold = Promise.withResolvers<void>();
    payments.answerWhen = hold.promise;
    const sessions = payments.replicas.map(({ podIp }) => openLink(payments, podIp));
    const asked = payments.replicas.map((to, i) => payOnce(sessions[i] as http2.ClientHttp2Session, to, "order 1"));
    await eventually(() => payments.made.get("order 1") === 1);
    payments.answerWhen = undefined;
    hold.resolve();
    expect(await Promise.all(asked)).toEqual([paid("order 1"), paid("order 1")]);
    for (const session of sessions) session.destroy();
    expect(payments.made.get("order 1")).toBe(1);
  });

  it("makes no payment twice wherever an exchange is cut, though each try goes to another replica", async () => {
    const cuts = await cutEverywhere(payments, payments.replicas[1] as TestSidecar, 3);
    expect(cuts).toBeGreaterThan(150);
  }, 240_000);

  it("refuses payments while Redis is gone, finishes those under way, and knows all of them when it is back", async () => {
    await payments.ask("before");
    const hold = Promise.withResolvers<void>();
    payments.answerWhen = hold.promise;
    const underWay = payments.ask("under way");
    await eventually(() => payments.made.get("under way") === 1);
    await redis.kill();
    const refused = await payments.ask("meanwhile");
    expect([refused.status, refused.headers["tulle-error"]]).toEqual([503, "idempotency_store_failed"]);
    payments.answerWhen = undefined;
    hold.resolve();
    expect((await underWay).body).toBe("paid under way once");
    await redis.start();
    await eventually(async () => (await payments.ask("meanwhile")).status === 201);
    for (const key of ["before", "under way", "meanwhile"]) {
      await eventually(async () => (await payments.ask(key)).body === `paid ${key} once`);
      expect(payments.made.get(key)).toBe(1);
    }
    const failures = payments.replicas.map(({ metrics: { idempotencyStoreFailures: failed } }) =>
      failed.value(failed.slot({ operation: "claim" })),
    );
    expect(failures.reduce((sum, count) => sum + count)).toBeGreaterThan(0);
  }, 30_000);

  it("lets payments through while Redis is gone, where the policy says so", async () => {
    payments.apply({ ...rulesOf("redis"), onStoreFailure: "allow" });
    await redis.kill();
    expect((await payments.ask("unguarded")).status).toBe(201);
    await redis.start();
    expect(payments.made.get("unguarded")).toBe(1);
  });
});

it("is not in doubt about its own pod alone: gone in the middle, the caller is told that it may have been done", async () => {
  await using payments = await Payments.open("memory");
  const hold = Promise.withResolvers<void>();
  payments.answerWhen = hold.promise;
  const answer = payments.ask("order");
  await eventually(() => payments.made.get("order") === 1);
  const owner = payments.replicas.find(({ podIp }) => podIp === payments.madeAt.get("order")) as TestSidecar;
  const left = payments.replicas.filter((replica) => replica !== owner).map(({ podIp }) => meshed(podIp, "payments"));
  payments.know("memory", left);
  owner.sidecar.close();
  hold.resolve();
  const { status, headers } = await answer;
  expect([status, headers["tulle-error"]]).toEqual([502, "ambiguous"]);
  expect(payments.made.get("order")).toBe(1);
  expect(workloadId("payments")).toBe("spiffe://cluster.local/ns/shop/sa/payments");
});
