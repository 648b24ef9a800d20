/**
 * Certificates with any names and extensions, right or wrong, built byte by byte, because our own builder would refuse them.
 */

import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";

export function tlv(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
}

export const uri = (text: string): Buffer => tlv(0x86, Buffer.from(text, "latin1"));
export const dns = (text: string): Buffer => tlv(0x82, Buffer.from(text, "latin1"));
export const extension = (oidHex: string, value: Buffer, critical = false): Buffer =>
  tlv(0x30, tlv(0x06, Buffer.from(oidHex, "hex")), ...(critical ? [Buffer.of(1, 1, 0xff)] : []), tlv(0x04, value));
export const altNames = (...names: Buffer[]): Buffer => extension("551d11", tlv(0x30, ...names), true);
export const caConstraints = extension("551d13", tlv(0x30, Buffer.of(1, 1, 0xff)), true);
export const leafConstraints = extension("551d13", tlv(0x30), true);
export const commonName = (text: string): Buffer =>
  tlv(0x30, tlv(0x31, tlv(0x30, tlv(0x06, Buffer.from("550403", "hex")), tlv(0x0c, Buffer.from(text)))));

export interface MadeCertificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly subject: Buffer;
}

/** P-256, signed by `issuer` or self-signed, valid now unless specified otherwise. */
export function makeCertificate(options: {
  readonly extensions: readonly Buffer[];
  readonly subject?: Buffer;
  readonly issuer?: MadeCertificate;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
}): MadeCertificate {
  const { extensions, issuer, subject = tlv(0x30) } = options;
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const ecdsaWithSha256 = Buffer.from("300a06082a8648ce3d040302", "hex");
  const serial = Buffer.concat([Buffer.of(0x40), randomBytes(15)]);
  const { notBeforeMs = Date.now() - 60_000, notAfterMs = Date.now() + 3_600_000 } = options;
  const body = tlv(
    0x30,
    tlv(0xa0, Buffer.of(2, 1, 2)),
    tlv(0x02, serial),
    ecdsaWithSha256,
    issuer?.subject ?? subject,
    tlv(0x30, utcTime(notBeforeMs), utcTime(notAfterMs)),
    subject,
    createPublicKey(key).export({ type: "spki", format: "der" }),
    ...(extensions.length > 0 ? [tlv(0xa3, tlv(0x30, ...extensions))] : []),
  );
  const signature = sign("sha256", body, { key: issuer?.key ?? key, dsaEncoding: "der" });
  const der = tlv(0x30, body, ecdsaWithSha256, tlv(0x03, Buffer.of(0), signature));
  const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  return { der, pem: new X509Certificate(der).toString(), key, keyPem, subject };
}

export function makeRoot(name = "test root"): MadeCertificate {
  const keyUsage = extension("551d0f", Buffer.of(3, 2, 1, 0x06), true);
  return makeCertificate({ subject: commonName(name), extensions: [caConstraints, keyUsage] });
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return tlv(0x17, Buffer.from(`${digits}Z`));
}
