/** The port that issues certificates, over real sockets: who gets one, and all the ways in which nobody may. */

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ServerCall } from "../../control-plane/grpc/server-call.ts";
import { StreamServer } from "../../control-plane/grpc/stream-server.ts";
import { issueMethod } from "../../control-plane/identity/identity-service.ts";
import { ReviewQueue } from "../../control-plane/identity/review-queue.ts";
import type { ServerCertificate } from "../../control-plane/identity/server-certificate.ts";
import { ok } from "../../model/result.ts";
import { buildCertificateRequest } from "../../sidecar/identity/certificate-request.ts";
import { issueCertificate } from "../../sidecar/identity/issue.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { TestAuthority, workloadId } from "../support/authority.ts";
import { makeRoot } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { HandClock } from "../support/hand-clock.ts";
import { untilClosed } from "../support/sockets.ts";

let ca: TestAuthority;
let stop: AbortController;

beforeEach(async () => {
  ca = await TestAuthority.open();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await ca[Symbol.asyncDispose]();
});

const ask = (token: string, changes: { address?: string; trustBundlePem?: string } = {}) =>
  issueCertificate({
    address: changes.address ?? ca.address,
    controlPlaneIdentity: ca.controlPlaneIdentity,
    trustBundlePem: changes.trustBundlePem ?? ca.authority.trustBundlePem,
    requestDer: buildCertificateRequest(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
    token,
    clock: performance,
    wheel: new TimerWheel(performance),
    signal: stop.signal,
  });

/** A port under that certificate, until the test ends. */
async function serve(certificate: ServerCertificate, answer: (call: ServerCall) => void) {
  const server = new StreamServer({
    methods: new Map([[issueMethod, answer]]),
    certificate,
    clients: "anonymous",
    maxMessageBytes: 65_536,
    maxCallsPerConnection: 100,
    clock: performance,
  });
  stop.signal.addEventListener("abort", () => void server.close(0));
  return { server, port: await server.listen("127.0.0.1", 0) };
}

describe("a token is refused", () => {
  it.each([
    ["that nobody gave out", () => Promise.resolve("made-up"), status.UNAUTHENTICATED, "token_unknown"],
    ["that is empty", () => Promise.resolve(""), status.UNAUTHENTICATED, "token_unknown"],
    ["that is a path", () => Promise.resolve("../ca/root.pem"), status.UNAUTHENTICATED, "token_unknown"],
    [
      "that has expired",
      () => ca.token("orders", { expiresAt: new Date(Date.now() - 1).toISOString() }),
      status.UNAUTHENTICATED,
      "token_expired",
    ],
    [
      "with an unreadable date",
      () => ca.token("orders", { expiresAt: "soon" }),
      status.UNAUTHENTICATED,
      "token_expired",
    ],
    ["for another audience", () => ca.token("orders", { audience: "vault" }), status.UNAUTHENTICATED, "token_audience"],
    [
      "of a namespace that is no name",
      () => ca.token("orders", { namespace: "shop/sa/payments" }),
      status.UNAUTHENTICATED,
      "token_identity",
    ],
    [
      "of a pod that is known elsewhere",
      () => ca.token("orders", { podIP: "10.1.2.3" }),
      status.PERMISSION_DENIED,
      "caller_address",
    ],
    ["that can't be reviewed", () => ca.token("orders", { pod: 7 }), status.UNAVAILABLE, "review_failed"],
  ])("%s", async (_, token, code, outcome) => {
    await ca.serve({ checkCallerAddress: true });
    await expect(ask(await token())).rejects.toMatchObject({ code });
    expect(ca.outcomes).toEqual([outcome]);
    const line = ca.log.lines.find(({ message }) => message === "certificate refused");
    expect(line?.fields).toEqual({ reason: outcome, caller: "127.0.0.1" });
  });

  it("from an address that asks too often, until it has waited, without a review", async () => {
    const clock = new HandClock();
    const limits = { atOnce: 1, waiting: 10, perAddress: { requests: 1, perMs: 1_000, burst: 2 } };
    await ca.serve({ reviews: new ReviewQueue(limits, clock) });
    const token = await ca.token("orders");
    await Promise.all([ask(token), ask(token)]);
    for (let i = 0; i < 2; i++)
      await expect(ask(token)).rejects.toMatchObject({
        code: status.RESOURCE_EXHAUSTED,
        message: expect.stringContaining("too many certificates are asked for from this address") as string,
      });
    expect(ca.log.lines.filter(({ message }) => message === "certificate refused")).toHaveLength(1);
    clock.advance(1_000);
    await ask(token);
    expect(ca.outcomes).toEqual(["issued", "issued", "caller_rate", "caller_rate", "issued"]);
  });

  it("if too many wait for a review: it may ask again at once", async () => {
    const first = Promise.withResolvers<void>();
    const owner = { namespace: "shop", serviceAccount: "orders", pod: "orders-1", podIps: [] };
    const reviews = new ReviewQueue({ atOnce: 1, waiting: 1 }, new HandClock());
    await ca.serve({ reviews, tokens: { review: () => first.promise.then(() => ok(owner)) } });
    const asked = [ask("a"), ask("b")];
    await eventually(() => reviews.waiting === 1);
    await expect(ask("c")).rejects.toMatchObject({ code: status.UNAVAILABLE });
    first.resolve();
    await Promise.all([...asked, ask("c")]);
    expect(ca.outcomes).toEqual(["review_busy", "issued", "issued", "issued"]);
  });

  it("once its pod is gone", async () => {
    await ca.serve();
    const token = await ca.token("orders");
    await ask(token);
    await rm(join(ca.folder, "tokens"), { recursive: true });
    await expect(ask(token)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  });
});

it.each([
  ["the second of its pod's", ["fd00::9", "127.0.0.1"]],
  ["its pod's in IPv6's clothes", ["::ffff:127.0.0.1"]],
  ["its pod's, written at length", ["fd00::9", "0:0:0:0:0:FFFF:7f00:0001"]],
])("a token is accepted from an address that is %s", async (_, podIps) => {
  const owner = { namespace: "shop", serviceAccount: "orders", pod: "orders-1", podIps };
  await ca.serve({ checkCallerAddress: true, tokens: { review: async () => ok(owner) } });
  await ask("any");
  expect(ca.outcomes).toEqual(["issued"]);
});

describe("an issued certificate", () => {
  it("leaves a line with identity, serial and pod, and no secret", async () => {
    await ca.serve({ checkCallerAddress: true });
    const token = await ca.token("orders", { podIP: "127.0.0.1" });
    await ask(token);
    expect(ca.outcomes).toEqual(["issued"]);
    expect(ca.log.lines).toHaveLength(1);
    expect(ca.log.lines[0]).toMatchObject({
      message: "certificate issued",
      fields: { identity: workloadId("orders"), pod: "orders-1", caller: "127.0.0.1" },
    });
    expect(ca.log.lines[0]?.fields["serial"]).toMatch(/^[0-9A-F]{20,34}$/);
    expect(JSON.stringify(ca.log.lines)).not.toContain(token);
  });
});

describe("the token is not shown", () => {
  async function impostor(certificate: ServerCertificate): Promise<{ address: string; asked: () => number }> {
    let asked = 0;
    const answer = (call: ServerCall): void => {
      asked++;
      call.end(status.UNAVAILABLE, "got you");
    };
    const { port } = await serve(certificate, answer);
    return { address: `127.0.0.1:${port}`, asked: () => asked };
  }

  it("to a workload that poses as the control plane", async () => {
    const { address, asked } = await impostor(ca.credentials(workloadId("evil")));
    await expect(ask("secret", { address })).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(asked()).toBe(0);
  });

  it("to a server of another root", async () => {
    const { address, asked } = await impostor(ca.serverCertificate);
    await expect(ask("secret", { address, trustBundlePem: makeRoot().pem })).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    expect(asked()).toBe(0);
  });
});

it("serves with a new certificate after a rotation, without a restart", async () => {
  const { server, port } = await serve(ca.serverCertificate, () => {});
  const serialSeen = async (): Promise<string | undefined> => {
    const roots = ca.authority.trustBundlePem;
    const socket = connectTls({ port, ca: roots, ALPNProtocols: ["h2"], checkServerIdentity: () => undefined });
    await once(socket, "secureConnect");
    const serial = socket.getPeerX509Certificate()?.serialNumber;
    socket.destroy();
    return serial;
  };
  const first = await serialSeen();
  const next = ca.serverCertificate;
  server.rotate(next);
  expect(await serialSeen()).toBe(new X509Certificate(next.certificateChainPem).serialNumber);
  expect(await serialSeen()).not.toBe(first);
});

it("resumes no session", async () => {
  await ca.serve();
  const options = {
    port: Number(ca.address.split(":")[1]),
    ca: ca.authority.trustBundlePem,
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  };
  const first = connectTls(options);
  const sessions: Buffer[] = [];
  first.on("session", (session: Buffer) => sessions.push(session));
  await once(first, "data");
  // OpenSSL takes up no session whose connection was not closed in an orderly way.
  first.end();
  await untilClosed(first);
  const session = sessions.at(-1) ?? Buffer.alloc(0);
  expect(session.length).toBeGreaterThan(0);
  const second = connectTls({ ...options, session });
  await once(second, "secureConnect");
  expect(second.isSessionReused()).toBe(false);
  second.destroy();
});

it("speaks no TLS before 1.3", async () => {
  await ca.serve();
  const socket = connectTls({
    host: "127.0.0.1",
    port: Number(ca.address.split(":")[1]),
    ca: ca.authority.trustBundlePem,
    maxVersion: "TLSv1.2",
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  const [error] = (await once(socket, "error")) as [Error];
  expect(error.message).toMatch(/protocol version/i);
});
