/**
 * The signer: a key, its certificate, the intermediates between that and a root, and the roots that workloads should trust. It
 * knows what a signer's PEM must contain; `root.ts` and `ca-secret.ts` store it.
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { subjectKeyIdOf, subjectOf } from "./certificate-fields.ts";
import { buildRoot, commonName, keyIdOf, type Signer } from "./x509.ts";

export interface Issuer {
  readonly signer: Signer;
  /** The certificate that signs leaves: a root, or an intermediate. */
  readonly certificate: X509Certificate;
  /** The certificates sent with a leaf, up to but not including its root; DER. Empty if the signer is a root. */
  readonly chainDer: readonly Buffer[];
  /** The roots that workloads should trust. */
  readonly trusted: readonly X509Certificate[];
}

export interface IssuerPems {
  readonly keyPem: string;
  /** The signer's certificate first, then the ones above it. */
  readonly certificatesPem: string;
  /** Absent: the signer is the root itself. */
  readonly trustedPem?: string;
}

const lifetimeMs = 10 * 365 * 24 * 60 * 60 * 1000;
const backdateMs = 5 * 60 * 1000;
const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;

/** The roots that workloads verify each other by, in PEM. */
export function bundleOf({ trusted }: Issuer): string {
  return trusted.map(String).join("");
}

/** Whether both sign with the same key and certificate, and trust the same roots. */
export function isSameIssuer(a: Issuer, b: Issuer): boolean {
  return a.certificate.raw.equals(b.certificate.raw) && bundleOf(a) === bundleOf(b);
}

/** Creates a root that is valid for ten years. */
export function makeRoot(trustDomain: string, nowMs: number): IssuerPems {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeyDer = publicKey.export({ type: "spki", format: "der" });
  const nameDer = commonName(`Tulle root of ${trustDomain}`);
  const signer: Signer = { nameDer, privateKey, publicKeyDer, keyId: keyIdOf(publicKeyDer) };
  const validity = { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + lifetimeMs };
  return {
    keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificatesPem: new X509Certificate(buildRoot(signer, validity)).toString(),
  };
}

/** Throws a readable error, beginning with `place`, if this can't sign for the mesh. */
export function readIssuer({ keyPem, certificatesPem, trustedPem }: IssuerPems, origin: string): Issuer {
  const privateKey = readKey(keyPem, origin);
  const [certificate, ...above] = readCertificates(certificatesPem, origin);
  if (certificate === undefined) throw new Error(`${origin}: must hold one private key and one certificate`);
  if (!certificate.ca || !certificate.checkPrivateKey(privateKey))
    throw new Error(`${origin}: the certificate is not a CA's, or not that of the key`);
  const trusted = trustedPem === undefined ? [certificate] : readCertificates(trustedPem, origin);
  const isRoot = (one: X509Certificate) => trusted.some(({ raw }) => raw.equals(one.raw));
  if (trusted.length === 0 || !trusted.every((root) => root.ca && root.checkIssued(root)))
    throw new Error(`${origin}: ca.crt must hold the roots that workloads are to trust, and nothing else`);
  const chain = isRoot(certificate) ? [] : [certificate, ...above.filter((one) => !isRoot(one))];
  const last = chain.at(-1);
  if (last !== undefined && !trusted.some((root) => last.checkIssued(root) && last.verify(root.publicKey)))
    throw new Error(`${origin}: no root in ca.crt has issued ${last.subject.replaceAll("\n", ", ")}`);
  const publicKeyDer = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const signer = { nameDer: subjectOf(certificate), privateKey, publicKeyDer, keyId: subjectKeyIdOf(certificate) };
  return { signer, certificate, chainDer: chain.map(({ raw }) => raw), trusted };
}

function readKey(pem: string, origin: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // What OpenSSL says about a key must not be logged.
    throw new Error(`${origin}: the private key can't be read`);
  }
  if (key.asymmetricKeyType !== "ec") throw new Error(`${origin}: the private key must be ECDSA, as P-256`);
  return key;
}

export function readCertificates(pem: string, origin: string): X509Certificate[] {
  try {
    return [...pem.matchAll(pemBlock)].map(([block]) => new X509Certificate(block));
  } catch (error) {
    throw new Error(`${origin}: a certificate can't be read`, { cause: error });
  }
}
