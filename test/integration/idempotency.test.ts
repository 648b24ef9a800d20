/** IdempotencyPolicy over real sockets, with answers in each pod's own memory. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { workloadId } from "../support/authority.ts";
import { Cutter } from "../support/cutter.ts";
import { eventually } from "../support/eventually.ts";
import { type Answer, askThrough, meshed, type TestSidecar } from "../support/sidecar-pair.ts";
import { RawClient } from "../support/sockets.ts";
import { cutEverywhere, Payments, rulesOf } from "./payments.ts";

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

  it("gives every caller of a key the same answer, from the one pod that has it", async () => {
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

  it("knows payments from before a scale-up, and while their pod terminates", async () => {
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

  it("refuses a request without a key, and a key reused for another request", async () => {
    const code = ({ status, headers }: Answer) => [status, headers["tulle-error"]];
    expect(code(await askThrough(payments.web.podIp, "http://payments/pay", { method: "POST", body: "x" }))).toEqual([
      400,
      "idempotency_key_missing",
    ]);
    await payments.ask("order 3");
    expect(code(await payments.ask("order 3", "another"))).toEqual([422, "idempotency_key_reused"]);
    expect(payments.made.has("another")).toBe(false);
  });

  it("gives nobody another workload's answer", async () => {
    const other = await payments.mesh.sidecar("other");
    await payments.ask("order 4");
    const options = { method: "POST", body: "order 4", headers: { "idempotency-key": "order 4" } };
    const answer = await askThrough(other.podIp, "http://payments/pay", options);
    expect([answer.headers["x-count"], answer.headers["tulle-idempotent-replay"]]).toEqual(["2", undefined]);
  });

  it("keeps its answers when the policy changes", async () => {
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

it("tells the caller that it may have been processed if the pod goes in the middle", async () => {
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
