import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AdmissionAnswer } from "../../../control-plane/admission/review.ts";
import { type AdmissionServer, maxReviewBytes, openAdmissionServer } from "../../../control-plane/admission/server.ts";
import { issueServingCertificate, webhookNames } from "../../../control-plane/admission/serving-certificate.ts";
import { readPeerIdentity } from "../../../model/peer-identity.ts";
import { reviewOf } from "../../support/admission.ts";
import { answerTo } from "../../support/answer-to.ts";
import { TestAuthority } from "../../support/authority.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { untilClosed } from "../../support/sockets.ts";

const names = webhookNames("tulle-control-plane", "tulle-system");
const servername = "tulle-control-plane.tulle-system.svc";

let test: TestAuthority;
let server: AdmissionServer;
let answer: () => AdmissionAnswer;
const log = new RecordedLog();
const outcomes: string[] = [];

beforeEach(async () => {
  test = await TestAuthority.open();
  outcomes.length = 0;
  answer = () => ({ verdict: "admit", warnings: ["mind the gap"] });
  server = await openAdmissionServer({
    host: "127.0.0.1",
    port: 0,
    certificate: issueServingCertificate(test.authority, names),
    handlers: new Map([["/validate", () => answer()]]),
    log: log.write,
    onAnswer: (path, outcome) => outcomes.push(`${path} ${outcome}`),
  });
});
afterEach(async () => {
  await server.close();
  await test[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** As the API server does, with the bundle that its webhook configuration has. */
async function post(
  body: string | Buffer,
  { path = "/validate", method = "POST", type = "application/json; charset=utf-8" } = {},
): Promise<Answer> {
  const call = httpsRequest({
    host: "127.0.0.1",
    port: server.port,
    servername,
    ca: test.authority.trustBundlePem,
    path,
    method,
    headers: { "content-type": type, "content-length": Buffer.byteLength(body) },
  });
  call.end(body);
  const response = await answerTo(call);
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() };
}

const review = JSON.stringify(reviewOf({ kind: "TrafficSplit" }));

describe("an AdmissionReview", () => {
  it("is answered with the handler's verdict", async () => {
    const { status, text } = await post(review);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ response: { uid: "4711", allowed: true, warnings: ["mind the gap"] } });
    answer = () => ({ verdict: "refuse", causes: [{ path: "spec", message: "no" }] });
    expect(JSON.parse((await post(review)).text)).toMatchObject({ response: { allowed: false } });
    expect(outcomes).toEqual(["/validate admitted", "/validate refused"]);
  });

  it("gets 500 if the handler fails, and the server goes on", async () => {
    answer = () => {
      throw new Error("a bug");
    };
    expect((await post(review)).status).toBe(500);
    expect(log.lines.at(-1)).toMatchObject({ level: "error", fields: { path: "/validate", reason: "a bug" } });
    answer = () => ({ verdict: "admit", warnings: [] });
    expect((await post(review)).status).toBe(200);
    expect(outcomes).toEqual(["/validate failed", "/validate admitted"]);
  });
});

describe("a request that is not an AdmissionReview gets a plain answer", () => {
  it.each<[string, () => Promise<Answer>, number]>([
    ["another path", () => post(review, { path: "/other" }), 404],
    ["another method", () => post("", { method: "GET" }), 405],
    ["another type", () => post(review, { type: "text/plain" }), 415],
    ["no JSON", () => post("{"), 400],
    ["no bytes", () => post(""), 400],
    ["not UTF-8", () => post(Buffer.from([0xff, 0xfe, 0x00])), 400],
    ["nothing to review", () => post("{}"), 400],
    ["too much", () => post(Buffer.alloc(maxReviewBytes + 1, "x")), 413],
    ["lists in lists without end", () => post("[".repeat(1_000_000)), 400],
  ])("%s", async (_, ask, status) => {
    expect((await ask()).status).toBe(status);
    expect((await post(review)).status).toBe(200);
  });

  it("too much, without saying so beforehand", async () => {
    const socket = await dial();
    socket.write(
      "POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    for (let sent = 0; sent <= maxReviewBytes; sent += 65_536) socket.write(chunk);
    const [first] = (await once(socket, "data")) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });
});

async function dial() {
  const socket = connect({ host: "127.0.0.1", port: server.port, servername, ca: test.authority.trustBundlePem });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

describe("its certificate", () => {
  it("is for the Service's names, is not an identity in the mesh, and serves TLS 1.3 only", async () => {
    const socket = await dial();
    const { raw, subjectaltname } = socket.getPeerCertificate();
    expect(subjectaltname).toBe("DNS:tulle-control-plane.tulle-system.svc, DNS:tulle-control-plane.tulle-system");
    expect(readPeerIdentity(raw).ok).toBe(false);
    expect(socket.getProtocol()).toBe("TLSv1.3");
    socket.destroy();
    const old = connect({
      host: "127.0.0.1",
      port: server.port,
      servername,
      maxVersion: "TLSv1.2",
      rejectUnauthorized: false,
    });
    const [error] = (await once(old, "error")) as unknown as [Error];
    expect(error.message).toMatch(/protocol version/);
  });

  it("changes while the server runs", async () => {
    const first = await dial();
    server.rotate(issueServingCertificate(test.authority, names));
    const second = await dial();
    expect(second.getPeerCertificate().serialNumber).not.toBe(first.getPeerCertificate().serialNumber);
    first.destroy();
    second.destroy();
  });
});

it("does not wait long for a silent caller when it closes", async () => {
  const socket = await dial();
  const ended = untilClosed(socket);
  const startMs = performance.now();
  await server.close();
  await ended;
  expect(performance.now() - startMs).toBeLessThan(3_000);
});
