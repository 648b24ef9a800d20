/**
 * The mesh's root as a file: created once, in one file that only its owner may read, never logged.
 * One file for key and certificate, so that no crash leaves one without the other.
 */

import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { createDurably, isErrorCode } from "../../system/durable-file.ts";
import { type Issuer, makeRoot, readIssuer } from "./issuer.ts";

const fileName = "root.pem";
const keyBlock = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/;

/** Loads the root from the folder, or makes it there. Throws in plain words where the file is not to be trusted. */
export async function openRoot(folder: string, trustDomain: string, nowMs: number): Promise<Issuer> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, fileName);
  const kept = await read(path);
  if (kept !== undefined) return parse(path, kept);
  // Of several control planes that start at once on one folder, the one that comes first makes the root of all.
  const { keyPem, certificatesPem } = makeRoot(trustDomain, nowMs);
  await createDurably(path, keyPem + certificatesPem);
  const made = await read(path);
  if (made === undefined) throw new Error(`${path}: vanished while it was created`);
  return parse(path, made);
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

function parse(path: string, pem: string): Issuer {
  const keyPem = keyBlock.exec(pem)?.[0];
  if (keyPem === undefined) throw new Error(`${path}: must hold one private key and one certificate`);
  return readIssuer({ keyPem, certificatesPem: pem }, path);
}
