/** What `node:crypto` does not expose of a certificate: its names in DER, and which key signed it. Reads, and checks nothing. */

import { createHash, type X509Certificate } from "node:crypto";
import { derTag, readChildren, readWhole } from "../../model/der.ts";

/** Identifies a root to people and in messages: the SHA-256 of its DER, in lower-case hexadecimal. */
export function rootId({ raw }: Pick<X509Certificate, "raw">): string {
  return createHash("sha256").update(raw).digest("hex");
}

/** The subject's name, in DER. Throws if this is not a certificate with extensions. */
export function subjectOf({ raw }: X509Certificate): Buffer {
  const subject = fieldsOf(raw)[5];
  if (subject === undefined) throw new Error("a certificate of version 1");
  return raw.subarray(subject.start, subject.end);
}

/** `OBJECT IDENTIFIER 2.5.29.14`, and `2.5.29.35`. */
const subjectKeyIdOid = Buffer.from("0603551d0e", "hex");
const authorityKeyIdOid = Buffer.from("0603551d23", "hex");

/** Leaves name their issuer by this id, or OpenSSL rejects the chain. Undefined: the certificate has none. */
export function subjectKeyIdOf({ raw }: Pick<X509Certificate, "raw">): Buffer | undefined {
  const value = extensionOf(raw, subjectKeyIdOid);
  const id = value && readWhole(value, derTag.octetString);
  return id && value.subarray(id.content, id.end);
}

/** The id of the key that signed a certificate, if the certificate names it. */
export function authorityKeyIdOf(raw: Buffer): Buffer | undefined {
  const value = extensionOf(raw, authorityKeyIdOid);
  const all = value && readWhole(value, derTag.sequence);
  const id = all && readChildren(value, all)?.find(({ tag }) => tag === derTag.contextPrimitive(0));
  return id && value?.subarray(id.content, id.end);
}

/** The contents of `Extension ::= SEQUENCE { id, critical, OCTET STRING }`. */
function extensionOf(raw: Buffer, oid: Buffer): Buffer | undefined {
  const wrapper = fieldsOf(raw).find(({ tag }) => tag === derTag.context(3));
  const [list] = (wrapper && readChildren(raw, wrapper)) ?? [];
  for (const extension of (list && readChildren(raw, list)) ?? []) {
    const parts = readChildren(raw, extension) ?? [];
    const [id] = parts;
    const value = parts.at(-1);
    if (id !== undefined && value !== undefined && raw.subarray(id.start, id.end).equals(oid))
      return raw.subarray(value.content, value.end);
  }
  return undefined;
}

/** `TBSCertificate ::= SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, key, …, [3] extensions }` */
function fieldsOf(raw: Buffer) {
  const certificate = readWhole(raw, derTag.sequence);
  const [body] = (certificate && readChildren(raw, certificate)) ?? [];
  const fields = body && readChildren(raw, body);
  if (fields === undefined) throw new Error("a certificate that is not in DER");
  return fields;
}
