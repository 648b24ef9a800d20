/**
 * Writes a workload's PKCS#10 request (RFC 2986). It names nothing, as the control plane requires, so everything but key and
 * signature is constant, and the sidecar needs no ASN.1 library.
 */

import { createPublicKey, type KeyObject, sign } from "node:crypto";

const sequence = 0x30;
/** `SEQUENCE { ecdsa-with-SHA256 }` */
const ecdsaWithSha256 = Buffer.from("300a06082a8648ce3d040302", "hex");
/** `INTEGER 0, SEQUENCE {}`: version 1, no subject. */
const versionAndSubject = Buffer.from("0201003000", "hex");
/** `[0] {}`: no attributes. */
const noAttributes = Buffer.from("a000", "hex");

/** Returns DER, about 200 bytes. */
export function buildCertificateRequest(privateKey: KeyObject): Buffer {
  const publicKeyDer = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const body = element(sequence, versionAndSubject, publicKeyDer, noAttributes);
  const signature = sign("sha256", body, { key: privateKey, dsaEncoding: "der" });
  const noUnusedBits = Buffer.of(0);
  return element(sequence, body, ecdsaWithSha256, element(0x03, noUnusedBits, signature));
}

/** Encodes an element of less than 256 bytes. */
function element(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const header = content.length < 0x80 ? Buffer.of(tag, content.length) : Buffer.of(tag, 0x81, content.length);
  return Buffer.concat([header, content]);
}
