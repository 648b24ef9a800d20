/**
 * TLS of the mesh link: 1.3 only, ALPN `h2`, both sides with a certificate, and no resumption of any kind.
 * A resumed session would skip the check of the certificate, so the server issues no tickets, and both sides refuse a session
 * that was resumed anyway.
 */

import { constants } from "node:crypto";
import {
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
} from "node:tls";
import { readPeerIdentity } from "../../model/peer-identity.ts";
import { err, ok, type Result } from "../../model/result.ts";
import { parseSpiffeId } from "../../model/spiffe.ts";
import type { Credentials } from "./credentials.ts";

/** One workload, by its SPIFFE id, or any of a trust domain. */
export type ExpectedPeer = string | { readonly trustDomain: string };

const alpn = "h2";

/** For `Server.setSecureContext` after a rotation; open connections keep theirs. */
export function meshContextOptions(credentials: Credentials): SecureContextOptions {
  return {
    cert: credentials.certificateChainPem,
    key: credentials.privateKeyPem,
    ca: credentials.trustBundlePem,
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** For `tls.createServer`. The accepting side must call `checkPeer` before the first byte. */
export function meshServerOptions(credentials: Credentials): TlsOptions {
  return {
    ...meshContextOptions(credentials),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: [alpn],
    handshakeTimeout: 10_000,
  };
}

/** Costs 0.8 ms, so it is made once per rotation and used for all connections. */
export function meshClientContext(credentials: Credentials): SecureContext {
  return createSecureContext(meshContextOptions(credentials));
}

/**
 * For `tls.connect`, in addition to host and port or a socket. A peer other than the expected one fails the handshake before a
 * byte is sent; `checkPeer` then covers what that check can't see.
 */
export function meshClientOptions(context: SecureContext, expected: ExpectedPeer): ConnectionOptions {
  return {
    secureContext: context,
    ALPNProtocols: [alpn],
    rejectUnauthorized: true,
    checkServerIdentity: (_host, { raw }) => {
      const peer = checkCertificate(raw, expected);
      return peer.ok ? undefined : new Error(peer.error);
    },
  };
}

/** Returns the peer's SPIFFE id after the handshake. An error, in plain words, means that the socket must be destroyed. */
export function checkPeer(socket: TLSSocket, expected: ExpectedPeer): Result<string, string> {
  if (!socket.authorized) return err(`not verified: ${String(socket.authorizationError)}`);
  if (socket.isSessionReused()) return err("a resumed session");
  if (socket.getProtocol() !== "TLSv1.3") return err(`${String(socket.getProtocol())} instead of TLSv1.3`);
  if (socket.alpnProtocol !== alpn) return err(`ALPN ${String(socket.alpnProtocol)} instead of ${alpn}`);
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? err("no certificate") : checkCertificate(certificate.raw, expected);
}

function checkCertificate(der: Buffer, expected: ExpectedPeer): Result<string, string> {
  const peer = readPeerIdentity(der);
  if (!peer.ok) return peer;
  if (typeof expected === "string")
    return peer.value === expected ? ok(peer.value) : err(`${peer.value} instead of ${expected}`);
  const id = parseSpiffeId(peer.value);
  const sameDomain = id.ok && id.value.trustDomain === expected.trustDomain;
  return sameDomain ? ok(peer.value) : err(`${peer.value} is not of ${expected.trustDomain}`);
}
