/**
 * Reads a PKCS#10 certificate request (RFC 2986) for the one thing that counts: a P-256 key whose owner signed it.
 * A request that names anything (a subject, an extension) is refused rather than ignored: what a workload is called
 * comes from its token, and a caller that asks for more should learn so.
 */

import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { derTag, isExactly, readChildren, readWhole } from "../../model/der.ts";
import { err, ok, type Result } from "../../model/result.ts";

/** Why a request is refused; a label of the refusal metric. */
export type RequestFault = "csr_malformed" | "csr_key" | "csr_signature" | "csr_names";

/** A request without names has about 240 bytes. */
const maxRequestBytes = 2_048;

/** `SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING 04 … }` up to the uncompressed point of 64 bytes. */
const p256Prefix = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");
const p256Bytes = p256Prefix.length + 64;
/** `SEQUENCE { ecdsa-with-SHA256 }` */
const ecdsaWithSha256 = Buffer.from("300a06082a8648ce3d040302", "hex");
const versionOne = Buffer.of(derTag.integer, 1, 0);
const noSubject = Buffer.of(derTag.sequence, 0);
const noAttributes = Buffer.of(derTag.context(0), 0);

/** The public key's SubjectPublicKeyInfo in DER. */
export function readCertificateRequest(der: Buffer): Result<Buffer, RequestFault> {
  if (der.length > maxRequestBytes) return err("csr_malformed");
  const request = readWhole(der, derTag.sequence);
  const [body, algorithm, signature, ...rest] = (request && readChildren(der, request)) ?? [];
  if (body?.tag !== derTag.sequence || algorithm === undefined || signature === undefined || rest.length > 0)
    return err("csr_malformed");
  const [version, subject, publicKey, attributes, ...more] = readChildren(der, body) ?? [];
  if (version === undefined || subject === undefined || publicKey === undefined || attributes === undefined)
    return err("csr_malformed");
  if (more.length > 0 || !isExactly(der, version, versionOne)) return err("csr_malformed");

  const publicKeyDer = der.subarray(publicKey.start, publicKey.end);
  const key = readP256(publicKeyDer);
  if (key === undefined) return err("csr_key");
  if (!isExactly(der, subject, noSubject) || !isExactly(der, attributes, noAttributes)) return err("csr_names");

  const signed = der.subarray(body.start, body.end);
  // A bit string's first octet counts its unused bits.
  const wellFormed = signature.tag === derTag.bitString && der[signature.content] === 0;
  if (!wellFormed || !isExactly(der, algorithm, ecdsaWithSha256)) return err("csr_signature");
  const signatureDer = der.subarray(signature.content + 1, signature.end);
  return verify("sha256", signed, { key, dsaEncoding: "der" }, signatureDer) ? ok(publicKeyDer) : err("csr_signature");
}

/** A named curve and an uncompressed point: the one form that everybody writes. OpenSSL checks that the point is on the curve. */
function readP256(der: Buffer): KeyObject | undefined {
  if (der.length !== p256Bytes || !der.subarray(0, p256Prefix.length).equals(p256Prefix)) return undefined;
  try {
    return createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    return undefined; // not a point on the curve
  }
}
