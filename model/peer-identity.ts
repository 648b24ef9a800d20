/**
 * Reads a workload's SPIFFE id from its certificate, from the DER rather than from any text form of it. It does not verify the
 * certificate: TLS has done that. Both sidecars and the control plane identify peers by this.
 * Rules: X.509-SVID (https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md), RFC 5280.
 */

import { type DerElement, derTag, isExactly, readChildren, readElement, readWhole } from "./der.ts";
import { err, ok, type Result } from "./result.ts";
import { parseSpiffeId } from "./spiffe.ts";

/** 2.5.29.17 */
const subjectAltName = Uint8Array.of(0x06, 0x03, 0x55, 0x1d, 0x11);
/** 2.5.29.19 */
const basicConstraints = Uint8Array.of(0x06, 0x03, 0x55, 0x1d, 0x13);
const extensionsTag = derTag.context(3);
const uriTag = derTag.contextPrimitive(6);

/**
 * The id in the only URI among the certificate's subject alternative names; names of other types are ignored.
 * The error says in plain words what is wrong: no such name, several, not a workload's id, a CA, not a certificate.
 */
export function readPeerIdentity(certificateDer: Uint8Array): Result<string, string> {
  const extensions = readExtensions(certificateDer);
  if (extensions === undefined) return err("not a certificate in DER");
  const constraints = extensions.filter(({ oid }) => isExactly(certificateDer, oid, basicConstraints));
  if (constraints.length > 1) return err("basic constraints given twice");
  if (constraints.some(({ value }) => !isEndEntity(certificateDer, value))) return err("a CA's certificate");
  const alternatives = extensions.filter(({ oid }) => isExactly(certificateDer, oid, subjectAltName));
  const [alternative] = alternatives;
  if (alternative === undefined) return err("no subject alternative name");
  if (alternatives.length > 1) return err("subject alternative names given twice");
  const names = readNames(certificateDer, alternative.value);
  if (names === undefined) return err("subject alternative names not in DER");
  const uris = names.filter(({ tag }) => tag === uriTag);
  const [uri] = uris;
  if (uri === undefined) return err("no URI among the subject alternative names");
  if (uris.length > 1) return err("more than one URI among the subject alternative names");
  let text = "";
  for (const octet of certificateDer.subarray(uri.content, uri.end)) text += String.fromCharCode(octet);
  const id = parseSpiffeId(text);
  return id.ok ? ok(text) : id;
}

interface Extension {
  readonly oid: DerElement;
  /** The OCTET STRING around it. */
  readonly value: DerElement;
}

/** Of `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { …, [3] EXPLICIT SEQUENCE OF Extension }, … }`. */
function readExtensions(bytes: Uint8Array): Extension[] | undefined {
  const certificate = readWhole(bytes, derTag.sequence);
  const [body] = (certificate && readChildren(bytes, certificate)) ?? [];
  if (body?.tag !== derTag.sequence) return undefined;
  const fields = readChildren(bytes, body);
  if (fields === undefined) return undefined;
  const wrapper = fields.at(-1);
  if (wrapper?.tag !== extensionsTag) return [];
  const list = readElement(bytes, wrapper.content, wrapper.end);
  if (list?.tag !== derTag.sequence || list.end !== wrapper.end) return undefined;
  const elements = readChildren(bytes, list);
  if (elements === undefined) return undefined;
  const extensions: Extension[] = [];
  for (const element of elements) {
    const parts = readChildren(bytes, element);
    const oid = parts?.[0];
    const value = parts?.at(-1);
    if (oid?.tag !== derTag.oid || value?.tag !== derTag.octetString) return undefined;
    extensions.push({ oid, value });
  }
  return extensions;
}

function readNames(bytes: Uint8Array, value: DerElement): DerElement[] | undefined {
  const names = readElement(bytes, value.content, value.end);
  if (names?.tag !== derTag.sequence || names.end !== value.end) return undefined;
  return readChildren(bytes, names);
}

/** `SEQUENCE { cA BOOLEAN DEFAULT FALSE, … }` with cA absent, as DER writes FALSE. */
function isEndEntity(bytes: Uint8Array, value: DerElement): boolean {
  const constraints = readElement(bytes, value.content, value.end);
  return constraints?.tag === derTag.sequence && constraints.end === value.end && constraints.content === value.end;
}
