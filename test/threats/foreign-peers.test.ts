/** The mesh port against peers that are not who they claim to be, and against fields that only the mesh may set. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { derTag, readChildren, readElement } from "../../model/der.ts";
import { DATA, END_HEADERS, frame, get, HEADERS, headers, type Pairs } from "../sidecar/http2/raw-peer.ts";
import { workloadId } from "../support/authority.ts";
import {
  altNames,
  caConstraints,
  commonName,
  dns,
  leafConstraints,
  type MadeCertificate,
  makeCertificate,
  makeRoot,
  uri,
} from "../support/certificates.ts";
import { askThrough, meshed } from "../support/sidecar-pair.ts";
import { untilClosed } from "../support/sockets.ts";
import { AttackedMesh, outboundWays } from "./attacked-mesh.ts";

let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await AttackedMesh.open();
  await mesh.witness();
});

afterAll(() => mesh[Symbol.asyncDispose]());

/** The mesh's own authority, for certificates that it would never sign. */
function meshRoot(): MadeCertificate {
  const pem = readFileSync(join(mesh.mesh.authority.folder, "ca/root.pem"), "utf8");
  const { raw } = new X509Certificate(pem.slice(pem.indexOf("-----BEGIN CERTIFICATE")));
  const key = createPrivateKey(pem);
  const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  return { der: raw, pem, key, keyPem, subject: commonName("Tulle root of cluster.local") };
}

/** The count of failed and good handshakes on the mesh port, by outcome. */
function handshakes(outcome: string): number {
  const { tlsHandshakes } = mesh.target.metrics;
  return tlsHandshakes.value(tlsHandshakes.slot({ direction: "inbound", outcome }));
}

describe("a client of HTTP/2 with a mesh certificate", () => {
  const ask = async (fields: Pairs): Promise<{ head: string; body: string }> => {
    const peer = mesh.peer(await mesh.link());
    peer.send(headers(1, [...get.filter(([name]) => name !== ":authority"), ...fields]));
    const head = await peer.receiveType(HEADERS, 1);
    const body = await peer.receiveType(DATA, 1);
    peer.socket.destroy();
    return { head: head?.payload.toString("latin1") ?? "", body: body?.payload.toString() ?? "" };
  };

  it("is served at the pod's only port if it names no target", async () => {
    expect((await ask([[":authority", "a"]])).body).toBe("ok");
    expect(await mesh.witness()).toContain(`tulle-client-id: ${workloadId("web")}\r\n`);
  });

  it.each<[string, () => Pairs]>([
    [
      "of another pod",
      () => [
        [":authority", "a"],
        ["tulle-target", "127.0.0.1:8080"],
      ],
    ],
    [
      "with an undeclared port",
      () => [
        [":authority", "a"],
        ["tulle-target", `${mesh.target.podIp}:8081`],
      ],
    ],
    [
      "with no port",
      () => [
        [":authority", "a"],
        ["tulle-target", mesh.target.podIp],
      ],
    ],
    [
      "that is no address",
      () => [
        [":authority", "a"],
        ["tulle-target", "localhost:8080"],
      ],
    ],
  ])("gets 421 for a target %s", async (_name, fields) => {
    const { head } = await ask(fields());
    expect(head).toContain("421");
    expect(head).toContain("wrong_pod");
    expect(await mesh.witness()).toBe("");
  });
});

it("opens no tunnel to an HTTP port: requests in it would pass every layer, in anybody's name", async () => {
  const peer = mesh.peer(await mesh.link());
  const target = `${mesh.target.podIp}:8080`;
  const connect: Pairs = [
    [":method", "CONNECT"],
    [":authority", target],
  ];
  const smuggled = `GET /smuggled HTTP/1.1\r\nHost: a\r\ntulle-client-id: ${workloadId("admin")}\r\n\r\n`;
  peer.send(headers(1, connect, END_HEADERS), frame(DATA, 0, 1, Buffer.from(smuggled)));
  const head = (await peer.receiveType(HEADERS, 1))?.payload.toString("latin1");
  expect(head).toContain("501");
  expect(head).toContain("unsupported");
  expect(await mesh.witness()).toBe("");
  peer.socket.destroy();
});

describe("fields that only the mesh may set", () => {
  const spoofed: Pairs = [
    ["tulle-client-id", workloadId("admin")],
    ["tulle-attempt", "9"],
    ["tulle-retried", "9"],
    ["tulle-anything", "x"],
    ["tulle_client_id", workloadId("admin")],
    ["tulle_client-id", workloadId("admin")],
  ];
  const untouched: Pairs = [
    ["x-forwarded-for", "1.2.3.4"],
    ["forwarded", "for=1.2.3.4"],
    ["via", "1.1 x"],
  ];
  /** The lines of a request that bear the mesh's name, and those that it does not touch. */
  const linesOf = (got: string): string[] =>
    got
      .toLowerCase()
      .split("\r\n")
      .filter((line) => /^(?:tulle|x-forwarded|forwarded|via)/.test(line));
  const expected = [...untouched.map(([name, value]) => `${name}: ${value}`), `tulle-client-id: ${workloadId("web")}`];

  it.each(Object.entries(outboundWays))("are removed from requests by %s", async (_way, enter) => {
    const client = await enter(mesh);
    const lines = [...spoofed, ...untouched].map(([name, value]) => `${name}: ${value}\r\n`).join("");
    client.send(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
    await client.receive("\r\n\r\nok");
    expect(linesOf(await mesh.witness())).toEqual(expected);
  });

  it("are removed from requests to the mesh port", async () => {
    const peer = mesh.peer(await mesh.link());
    peer.send(headers(1, [...get, ...spoofed, ...untouched]));
    await peer.receiveType(DATA, 1);
    expect(linesOf(await mesh.witness())).toEqual(expected);
    peer.socket.destroy();
  });
});

describe("the mesh port refuses, counts why, and the application sees nothing of", () => {
  const stranger = makeRoot();
  const leaf = (issuer: MadeCertificate | undefined, times: { notBeforeMs?: number; notAfterMs?: number } = {}) =>
    makeCertificate({
      ...(issuer === undefined ? {} : { issuer }),
      extensions: [leafConstraints, altNames(uri(workloadId("web")))],
      ...times,
    });
  const hourMs = 3_600_000;
  const now = Date.now();
  const attempts: readonly (readonly [string, string, MadeCertificate | undefined | (() => MadeCertificate)])[] = [
    ["no certificate", "no_certificate", undefined],
    ["one that its holder signed", "untrusted", leaf(undefined)],
    ["one of another authority", "untrusted", leaf(stranger)],
    [
      "one that has expired",
      "expired",
      () => leaf(meshRoot(), { notBeforeMs: now - 2 * hourMs, notAfterMs: now - hourMs }),
    ],
    [
      "one that is not valid yet",
      "not_yet_valid",
      () => leaf(meshRoot(), { notBeforeMs: now + hourMs, notAfterMs: now + 2 * hourMs }),
    ],
    [
      "an authority's that the mesh's own has signed",
      "identity_refused",
      () => makeCertificate({ issuer: meshRoot(), extensions: [caConstraints, altNames(uri(workloadId("web")))] }),
    ],
    [
      "one that a workload has signed",
      "untrusted",
      () => leaf({ ...leaf(meshRoot()), subject: commonName("a workload") }),
    ],
    [
      "one with two identities",
      "identity_refused",
      () =>
        makeCertificate({
          issuer: meshRoot(),
          extensions: [leafConstraints, altNames(uri(workloadId("web")), uri(workloadId("admin")))],
        }),
    ],
    [
      "one of another trust domain",
      "identity_refused",
      () =>
        makeCertificate({
          issuer: meshRoot(),
          extensions: [leafConstraints, altNames(uri("spiffe://cluster.local.evil/ns/shop/sa/web"))],
        }),
    ],
    [
      "an authority's own",
      "untrusted",
      makeCertificate({ extensions: [caConstraints, altNames(uri(workloadId("web")))] }),
    ],
    [
      "one with a DNS name that looks like an identity",
      "untrusted",
      makeCertificate({ extensions: [leafConstraints, altNames(dns(workloadId("web")))] }),
    ],
  ];

  it.each(attempts)("%s", async (_name, outcome, made) => {
    const certificate = typeof made === "function" ? made() : made;
    const before = handshakes(outcome);
    const socket = tls.connect({
      host: mesh.target.podIp,
      port: 15_008,
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
      ...(certificate === undefined ? {} : { cert: certificate.pem, key: certificate.keyPem }),
    });
    let received = 0;
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.on("error", () => {}); // that is what the test wants
    await untilClosed(socket);
    expect(received).toBe(0);
    expect(handshakes(outcome)).toBe(before + 1);
    expect(await mesh.witness()).toBe("");
  });

  it("plaintext", async () => {
    const before = handshakes("not_tls");
    const socket = net.connect(15_008, mesh.target.podIp);
    socket.resume();
    socket.on("error", () => {}); // cut
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await untilClosed(socket);
    expect(handshakes("not_tls")).toBe(before + 1);
    expect(await mesh.witness()).toBe("");
  });

  it("a session that is resumed: the handshake is a whole one, and nothing may be said before its end", async () => {
    const sessions: Buffer[] = [];
    const options = { ...mesh.linkOptions(), port: 15_008, host: mesh.target.podIp };
    const first = tls.connect(options).on("session", (session: Buffer) => sessions.push(session));
    await once(first, "secureConnect");
    await mesh.peer(first).roundTrip();
    expect(sessions.filter(allowsEarlyData)).toEqual([]);
    const session = first.getSession();
    if (session === undefined) throw new Error("TLS 1.3 without a session");
    const second = await mesh.link({ ...options, session });
    expect(second.isSessionReused()).toBe(false);
    first.destroy();
    second.destroy();
  });
});

/** Whether a session's ticket has `max_early_data`, [15] of OpenSSL's SSL_SESSION. */
function allowsEarlyData(session: Buffer): boolean {
  // Node may put words of its own before it.
  const whole = readElement(session, session.indexOf(Buffer.of(derTag.sequence, 0x82)), session.length);
  const fields = whole && readChildren(session, whole);
  if (fields === undefined) throw new Error(`a session that is not in DER: ${session.toString("hex")}`);
  return fields.some(({ tag }) => tag === derTag.context(15));
}

it("sends nothing to a pod whose address belongs to another workload now, and tries elsewhere, even a POST", async () => {
  const thief = await mesh.mesh.sidecar("thief");
  let stolen = 0;
  await mesh.mesh.application(thief.podIp, (_request, response) => {
    stolen++;
    response.end();
  });
  mesh.mesh.service("b", [meshed(thief.podIp, "a"), meshed(mesh.target.podIp, "a")]);
  for (let i = 0; i < 10; i++) {
    const answer = await askThrough(mesh.web.podIp, "http://b/", { method: "POST" });
    expect([answer.status, answer.body]).toEqual([200, "ok"]);
  }
  expect(stolen).toBe(0);
});
