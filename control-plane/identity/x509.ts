/**
 * Builds X.509 certificates (RFC 5280): node-forge for the DER, node:crypto for the ECDSA signature, P-256 throughout.
 * It knows the shape of our kinds of certificate, a root, a workload's leaf and a server's, and decides nothing about them.
 */

import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import forge from "node-forge";

const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Who signs; a root signs itself. */
export interface Signer {
  /** The DER of its subject name. */
  readonly nameDer: Buffer;
  readonly privateKey: KeyObject;
  /** The DER of its SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer;
  /** The subjectKeyIdentifier of its certificate; undefined: the certificate has none. */
  readonly keyId: Buffer | undefined;
}

/** A random serial number of 128 bits, without leading zeros. */
export function randomSerial(): Buffer {
  const octets = randomBytes(16);
  const leading = octets.findIndex((octet) => octet !== 0);
  return octets.subarray(Math.max(leading, 0));
}

export function commonName(name: string): Buffer {
  const attribute = sequence(oid("2.5.4.3"), primitive(asn1.Type.UTF8, Buffer.from(name)));
  return encode(sequence(set(attribute)));
}

/** A self-signed CA certificate; DER. */
export function buildRoot(root: Signer, validity: Validity): Buffer {
  const extensions = [
    extension("2.5.29.19", sequence(boolean(true), integer(Buffer.of(0))), true), // basicConstraints: CA, pathlen 0
    extension("2.5.29.15", bitString(Buffer.of(0x06), 1), true), // keyUsage: keyCertSign, cRLSign
    extension("2.5.29.14", octetString(keyIdOf(root.publicKeyDer))), // subjectKeyIdentifier
  ];
  return build(root, randomSerial(), root.nameDer, root.publicKeyDer, validity, extensions);
}

interface Leaf {
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKeyDer: Buffer;
  readonly serial: Buffer;
  readonly validity: Validity;
}

const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";

/** Builds a certificate whose only name is the URI `identity`; DER. */
export function buildLeaf(issuer: Signer, { identity, ...leaf }: Leaf & { identity: string }): Buffer {
  return buildEnd(issuer, leaf, [contextPrimitive(6, Buffer.from(identity, "ascii"))], [serverAuth, clientAuth]);
}

/** Builds a certificate for a server that is called by DNS names and has no workload identity; DER. */
export function buildServerLeaf(
  issuer: Signer,
  { dnsNames, ...leaf }: Leaf & { readonly dnsNames: readonly string[] },
): Buffer {
  const names = dnsNames.map((name) => contextPrimitive(2, Buffer.from(name, "ascii")));
  return buildEnd(issuer, leaf, names, [serverAuth]);
}

function buildEnd(issuer: Signer, { publicKeyDer, serial, validity }: Leaf, names: Asn1[], usages: string[]): Buffer {
  const extensions = [
    extension("2.5.29.19", sequence(), true), // basicConstraints: no CA
    extension("2.5.29.15", bitString(Buffer.of(0x80), 7), true), // keyUsage: digitalSignature
    extension("2.5.29.37", sequence(...usages.map(oid))), // extKeyUsage
    extension("2.5.29.17", sequence(...names), true), // subjectAltName; critical, since the subject is empty
  ];
  if (issuer.keyId !== undefined) extensions.push(extension("2.5.29.35", sequence(contextPrimitive(0, issuer.keyId)))); // authorityKeyIdentifier
  return build(issuer, serial, encode(sequence()), publicKeyDer, validity, extensions);
}

function build(
  issuer: Signer,
  serial: Buffer,
  subjectDer: Buffer,
  publicKeyDer: Buffer,
  validity: Validity,
  extensions: Asn1[],
): Buffer {
  const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));
  const body = sequence(
    contextConstructed(0, integer(Buffer.of(2))), // version 3
    integer(serial),
    ecdsaWithSha256,
    decode(issuer.nameDer),
    sequence(time(validity.notBeforeMs), time(validity.notAfterMs)),
    decode(subjectDer),
    decode(publicKeyDer),
    contextConstructed(3, sequence(...extensions)),
  );
  const signature = sign("sha256", encode(body), { key: issuer.privateKey, dsaEncoding: "der" });
  return encode(sequence(body, ecdsaWithSha256, bitString(signature, 0)));
}

/** RFC 7093 §2, method 1: the leftmost 160 bits of the SHA-256 of the key. */
export function keyIdOf(publicKeyDer: Buffer): Buffer {
  return createHash("sha256").update(publicKeyDer).digest().subarray(0, 20);
}

function extension(id: string, value: Asn1, critical = false): Asn1 {
  const contents = octetString(encode(value));
  return critical ? sequence(oid(id), boolean(true), contents) : sequence(oid(id), contents);
}

/** UTCTime until 2049, as RFC 5280 §4.1.2.5 requires. */
function time(ms: number): Asn1 {
  const date = new Date(ms);
  return date.getUTCFullYear() < 2050
    ? primitive(asn1.Type.UTCTIME, Buffer.from(asn1.dateToUtcTime(date)))
    : primitive(asn1.Type.GENERALIZEDTIME, Buffer.from(asn1.dateToGeneralizedTime(date)));
}

function sequence(...parts: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, parts);
}

function set(...parts: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, parts);
}

function oid(id: string): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(id).getBytes());
}

/** An integer that is not negative: a set top bit would make it so, and gets a zero octet in front. */
function integer(octets: Buffer): Asn1 {
  const positive = (octets[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), octets]) : octets;
  return primitive(asn1.Type.INTEGER, positive);
}

function boolean(value: boolean): Asn1 {
  return primitive(asn1.Type.BOOLEAN, Buffer.of(value ? 0xff : 0));
}

function octetString(octets: Buffer): Asn1 {
  return primitive(asn1.Type.OCTETSTRING, octets);
}

function bitString(octets: Buffer, unusedBits: number): Asn1 {
  return primitive(asn1.Type.BITSTRING, Buffer.concat([Buffer.of(unusedBits), octets]));
}

function primitive(type: forge.asn1.Type, octets: Buffer): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, octets.toString("latin1"));
}

function contextPrimitive(tag: number, octets: Buffer): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, octets.toString("latin1"));
}

function contextConstructed(tag: number, part: Asn1): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, true, [part]);
}

function encode(element: Asn1): Buffer {
  return Buffer.from(asn1.toDer(element).getBytes(), "latin1");
}

function decode(der: Buffer): Asn1 {
  return asn1.fromDer(der.toString("latin1"));
}
