/** A shop where payments are asked for again and again and must be made once, over real sockets that break at any byte. */

import { once } from "node:events";
import type http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";
import { expect } from "vitest";
import { defaultRetryPolicy } from "../../model/defaults.ts";
import type { AnswerStore, NamedIdempotencyRules } from "../../model/policy.ts";
import { Cutter } from "../support/cutter.ts";
import { type Answer, askThrough, meshed, TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";

export function rulesOf(store: AnswerStore): NamedIdempotencyRules {
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
export class Payments implements AsyncDisposable {
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
export function openLink(payments: Payments, host: string, port = 15_008): http2.ClientHttp2Session {
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
export async function payOnce(
  session: http2.ClientHttp2Session,
  to: TestSidecar,
  key: string,
): Promise<string | undefined> {
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

export const paid = (key: string) => `201 1 a=1,b=2 paid ${key} once ${key}`;

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
export async function cutEverywhere(payments: Payments, again: TestSidecar, stride: number): Promise<number> {
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
