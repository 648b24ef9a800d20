/** The mesh link's handshake over real sockets: who gets in, who does not. */

import { once } from "node:events";
import { type AddressInfo, connect as connectTcp } from "node:net";
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  createServer,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import type { Result } from "../../../model/result.ts";
import { type Credentials, readCredentials } from "../../../sidecar/identity/credentials.ts";
import {
  checkPeer,
  type ExpectedPeer,
  meshClientContext,
  meshClientOptions,
  meshContextOptions,
  meshServerOptions,
} from "../../../sidecar/identity/tls-options.ts";
import { workloadId } from "../../support/authority.ts";
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
} from "../../support/certificates.ts";
import { untilClosed } from "../../support/sockets.ts";

const root = makeRoot();
const meshDomain = { trustDomain: "cluster.local" };
const orders = workloadId("orders");
const payments = workloadId("payments");

const leaf = (id: string, issuer = root): MadeCertificate =>
  makeCertificate({ issuer, extensions: [leafConstraints, altNames(uri(id))] });

function credentialsOf(id: string): Credentials {
  const made = leaf(id);
  const read = readCredentials({ certificateChainPem: made.pem, privateKeyPem: made.keyPem, trustBundlePem: root.pem });
  if (!read.ok) throw new Error(read.error);
  return read.value.credentials;
}

let server: Server;
afterEach(() => server.close());

/** A server of `payments`; what it thought of each client is in `verdicts`. */
async function serve(
  expected: ExpectedPeer = meshDomain,
): Promise<{ port: number; verdicts: Result<string, string>[]; errors: string[] }> {
  const verdicts: Result<string, string>[] = [];
  const errors: string[] = [];
  server = createServer(meshServerOptions(credentialsOf(payments)), (socket) => {
    const peer = checkPeer(socket, expected);
    verdicts.push(peer);
    socket.on("error", () => {});
    if (peer.ok) socket.write("hello");
    else socket.destroy();
  });
  server.on("tlsClientError", (error: Error) => errors.push(error.message));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, verdicts, errors };
}

/** The first words of the server, or how the connection ended. */
async function dial(port: number, options: ConnectionOptions): Promise<{ heard: string; socket: TLSSocket }> {
  const socket = connect({ host: "127.0.0.1", port, ...options });
  const heard = await new Promise<string>((resolve) => {
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    socket.once("error", (error) => resolve(`error: ${error.message}`));
    socket.once("close", () => resolve("closed"));
  });
  socket.on("error", () => {});
  return { heard, socket };
}

const asClient = (id: string, expected: ExpectedPeer = payments): ConnectionOptions =>
  meshClientOptions(meshClientContext(credentialsOf(id)), expected);

describe("the mesh link", () => {
  it("admits a workload, and tells both sides who the other is", async () => {
    const { port, verdicts } = await serve();
    const { heard, socket } = await dial(port, asClient(orders));
    expect(heard).toBe("hello");
    expect(verdicts).toEqual([{ ok: true, value: orders }]);
    expect(checkPeer(socket, payments)).toEqual({ ok: true, value: payments });
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(["TLSv1.3", "h2"]);
    socket.destroy();
  });

  it("sends nothing to a workload that is not the expected one", async () => {
    const { port } = await serve();
    const { heard } = await dial(port, asClient(orders, workloadId("payments2")));
    expect(heard).toBe(`error: ${payments} instead of ${workloadId("payments2")}`);
  });

  it("admits only the expected client if one is named", async () => {
    const { port, verdicts } = await serve(workloadId("web"));
    const { heard } = await dial(port, asClient(orders));
    expect(heard).toMatch(/closed|error/);
    expect(verdicts).toEqual([{ ok: false, error: `${orders} instead of ${workloadId("web")}` }]);
  });

  it("uses new credentials for new connections after a rotation", async () => {
    const { port } = await serve();
    const next = credentialsOf(payments);
    server.setSecureContext(meshContextOptions(next));
    const { socket } = await dial(port, asClient(orders));
    expect(socket.getPeerX509Certificate()?.serialNumber).toBe(next.serial);
    socket.destroy();
  });

  it("resumes no session", async () => {
    const { port } = await serve();
    const { pem, keyPem } = leaf(orders);
    const own = { ca: root.pem, cert: pem, key: keyPem, ALPNProtocols: ["h2"], checkServerIdentity: () => undefined };
    const first = connect({ host: "127.0.0.1", port, ...own });
    const sessions: Buffer[] = [];
    first.on("session", (session: Buffer) => sessions.push(session));
    await once(first, "data");
    // OpenSSL takes up no session whose connection was not closed in an orderly way.
    first.end();
    await untilClosed(first);
    // Without stateless tickets OpenSSL hands out ids of sessions on the server, and Node's server keeps none.
    const session = sessions.at(-1) ?? Buffer.alloc(0);
    expect(session.length).toBeGreaterThan(0);
    const { heard, socket } = await dial(port, { ...own, session });
    expect([heard, socket.isSessionReused()]).toEqual(["hello", false]);
    socket.destroy();
  });
});

describe("a client is refused before the application sees a byte", () => {
  const dialling = (made: Partial<MadeCertificate>, more: SecureContextOptions = {}): ConnectionOptions => ({
    secureContext: createSecureContext({ ca: root.pem, cert: made.pem, key: made.keyPem, ...more }),
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  const names = (...extensions: Buffer[]) => makeCertificate({ issuer: root, extensions });
  const hour = 3_600_000;
  const refused: Record<string, () => ConnectionOptions> = {
    "without a certificate": () => dialling({}),
    "with one of another root": () => dialling(leaf(orders, makeRoot("another root"))),
    "with one of another root by the same name": () => dialling(leaf(orders, makeRoot())),
    "with a self-signed one": () => dialling(makeCertificate({ extensions: [altNames(uri(orders))] })),
    "with an expired one": () =>
      dialling(
        makeCertificate({
          issuer: root,
          extensions: [altNames(uri(orders))],
          notAfterMs: Date.now() - hour,
          notBeforeMs: Date.now() - 2 * hour,
        }),
      ),
    "with one that is not valid yet": () =>
      dialling(
        makeCertificate({
          issuer: root,
          extensions: [altNames(uri(orders))],
          notBeforeMs: Date.now() + hour,
          notAfterMs: Date.now() + 2 * hour,
        }),
      ),
    "with a CA's": () => dialling(names(caConstraints, altNames(uri(orders)))),
    "with the root itself": () => dialling(root),
    "with one issued by a workload": () => dialling(leaf(orders, { ...leaf(payments), subject: commonName("leaf") })),
    "with the id as common name only": () =>
      dialling(makeCertificate({ issuer: root, subject: commonName(orders), extensions: [leafConstraints] })),
    "with the id as DNS name": () => dialling(names(leafConstraints, altNames(dns(orders)))),
    "with two ids": () => dialling(names(leafConstraints, altNames(uri(orders), uri(payments)))),
    "of another trust domain": () => dialling(leaf("spiffe://cluster.local.evil/ns/shop/sa/orders")),
    "of a trust domain that starts the same": () => dialling(leaf("spiffe://cluster.localx/ns/shop/sa/orders")),
    "over TLS 1.2": () => dialling(leaf(orders), { maxVersion: "TLSv1.2" }),
    "without ALPN h2": () => ({ ...dialling(leaf(orders)), ALPNProtocols: ["http/1.1"] }),
    "with no ALPN": () => {
      const { ALPNProtocols: _, ...rest } = dialling(leaf(orders));
      return rest;
    },
  };
  it.each(Object.entries(refused))("%s", async (_, options) => {
    const { port, verdicts } = await serve();
    const { heard } = await dial(port, options());
    expect(heard).toMatch(/closed|error/);
    expect(verdicts.every(({ ok }) => !ok)).toBe(true);
  });

  it("in plaintext", async () => {
    const { port, verdicts, errors } = await serve();
    const socket = connectTcp(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await untilClosed(socket);
    expect(verdicts).toEqual([]);
    expect(errors).toHaveLength(1);
  });
});
