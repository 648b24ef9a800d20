/**
 * The mesh's root: created once, kept in one file that only its owner may read, never logged.
 * One file for key and certificate, so that no crash leaves one without the other.
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { derTag, readChildren, readWhole } from "../../model/der.ts";
import { createDurably, isErrorCode } from "../../system/durable-file.ts";
import { buildRoot, commonName, type Signer } from "./x509.ts";

export interface Root {
  readonly signer: Signer;
  readonly certificate: X509Certificate;
}

const fileName = "root.pem";
const lifetimeMs = 10 * 365 * 24 * 60 * 60 * 1000;
const backdateMs = 5 * 60 * 1000;
const pemBlock = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----\n?/g;

/** Loads the root from the folder, or makes it there. Throws in plain words where the file is not to be trusted. */
export async function openRoot(folder: string, trustDomain: string, nowMs: number): Promise<Root> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, fileName);
  const kept = await read(path);
  if (kept !== undefined) return parse(path, kept);
  // Of several control planes that start at once on one folder, the one that comes first makes the root of all.
  await createDurably(path, generate(trustDomain, nowMs));
  const made = await read(path);
  if (made === undefined) throw new Error(`${path}: vanished while it was created`);
  return parse(path, made);
}

function generate(trustDomain: string, nowMs: number): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeyDer = publicKey.export({ type: "spki", format: "der" });
  const signer: Signer = { nameDer: commonName(`Tulle root of ${trustDomain}`), privateKey, publicKeyDer };
  const validity = { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + lifetimeMs };
  const certificate = new X509Certificate(buildRoot(signer, validity));
  return privateKey.export({ type: "pkcs8", format: "pem" }) + certificate.toString();
}

async function read(path: string): Promise<string | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    const { mode } = await file.stat();
    if ((mode & 0o077) !== 0) throw new Error(`${path}: others than its owner may read it; make it 0600, or remove it`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

function parse(path: string, pem: string): Root {
  const blocks = new Map([...pem.matchAll(pemBlock)].map(([block, label]) => [label, block]));
  const keyPem = blocks.get("PRIVATE KEY");
  const certificatePem = blocks.get("CERTIFICATE");
  if (keyPem === undefined || certificatePem === undefined)
    throw new Error(`${path}: must hold one private key and one certificate`);
  const privateKey = createPrivateKey(keyPem);
  const certificate = new X509Certificate(certificatePem);
  if (!certificate.ca || !certificate.checkPrivateKey(privateKey))
    throw new Error(`${path}: the certificate is not a CA's, or not that of the key`);
  const publicKeyDer = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  return { signer: { nameDer: subjectOf(certificate), privateKey, publicKeyDer }, certificate };
}

/** `TBSCertificate ::= SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, … }` */
function subjectOf({ raw }: X509Certificate): Buffer {
  const certificate = readWhole(raw, derTag.sequence);
  const [body] = (certificate && readChildren(raw, certificate)) ?? [];
  const subject = body && readChildren(raw, body)?.[5];
  if (subject === undefined) throw new Error("a certificate of version 1, or not in DER");
  return raw.subarray(subject.start, subject.end);
}
