/** A workload's credentials, and how the rest of the sidecar gets them. Secret: never logged, never a field. */

import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { readPeerIdentity } from "../../model/peer-identity.ts";
import { err, ok, type Result } from "../../model/result.ts";

export interface Credentials {
  /** The leaf comes first. */
  readonly certificateChainPem: string;
  /** PKCS#8. */
  readonly privateKeyPem: string;
  /** The roots that peers' certificates may chain up to. */
  readonly trustBundlePem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** The serial number of the leaf, in hexadecimal. */
  readonly serial: string;
}

export interface Identity {
  readonly spiffeId: string;
  /** Changes when the certificate is renewed or the trust bundle changes. */
  current(): Credentials;
  /** Returns a function that removes the listener. */
  onChange(listener: (credentials: Credentials) => void): () => void;
}

export interface CredentialPems {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  readonly trustBundlePem: string;
}

/** Checks that the parts belong together. The error names the part, never its contents. */
export function readCredentials(
  pems: CredentialPems,
): Result<{ readonly credentials: Credentials; readonly spiffeId: string }, string> {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(pems.certificateChainPem);
    if (!leaf.checkPrivateKey(createPrivateKey(pems.privateKeyPem))) return err("the key is not the certificate's");
  } catch {
    return err("the certificate or the key is not PEM");
  }
  if (!isCertificates(pems.trustBundlePem)) return err("the trust bundle holds no certificate");
  const spiffeId = readPeerIdentity(leaf.raw);
  if (!spiffeId.ok) return err(`the certificate names no workload: ${spiffeId.error}`);
  const credentials: Credentials = {
    certificateChainPem: pems.certificateChainPem,
    privateKeyPem: pems.privateKeyPem,
    trustBundlePem: pems.trustBundlePem,
    notBeforeMs: Date.parse(leaf.validFrom),
    notAfterMs: Date.parse(leaf.validTo),
    serial: leaf.serialNumber,
  };
  return ok({ credentials, spiffeId: spiffeId.value });
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Whether the text is one or more certificates in PEM; a half-written file is not. */
export function isCertificates(pem: string): boolean {
  try {
    return certificatesIn(pem).length > 0;
  } catch {
    return false;
  }
}

/**
 * The ids by which the control plane knows roots: the SHA-256 of their DER, in hexadecimal. Throws if one is not a certificate.
 */
export function rootIds(pem: string): string[] {
  return certificatesIn(pem).map(({ raw }) => createHash("sha256").update(raw).digest("hex"));
}

/** Throws if one is not a certificate. */
export function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(certificateBlock) ?? []).map((block) => new X509Certificate(block));
}
