/**
 * The mesh's root in a folder, never logged. Standalone only. Every file is either complete or absent:
 *
 *     root.pem      key and certificate of the root that signs; made once, and like the others only its owner may read it
 *     next.pem      the same of the root to come, while everyone learns to trust it
 *     former.pem    the certificate of the root that signed before, while certificates of it are in use
 *     rotate-root   the id of the root that somebody wants to be replaced
 *
 * Each step of a rotation is one change of a file name, and of several control planes that share a folder only one succeeds.
 */

import { createHash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { createDurably, isErrorCode, writeDurably } from "../../system/durable-file.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import { type IssuerPems, makeRoot } from "./issuer.ts";
import type { SignerStore } from "./root-rotation.ts";
import { type KeptSigner, readSigner, type SignerPems } from "./rotation.ts";

export const rotateRootFile = "rotate-root";
const rootFile = "root.pem";
const nextFile = "next.pem";
const formerFile = "former.pem";
const keyBlock = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/;
/** Not every file system reports changes, so it is polled. */
const lookEveryMs = 500;

/** Loads the root from the folder, or creates it there. Throws a readable error if the files can't be trusted. */
export async function openRoot(folder: string, trustDomain: string, nowMs: number): Promise<KeptSigner> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const kept = await readRoot(folder);
  if (kept !== undefined) return kept;
  // If several control planes start at once on one folder, the first creates the root for all.
  await createDurably(join(folder, rootFile), textOf(makeRoot(trustDomain, nowMs)));
  const made = await readRoot(folder);
  if (made === undefined) throw new Error(`${join(folder, rootFile)}: vanished while it was created`);
  return made;
}

/** Calls with each new state of the folder until `signal`. While it can't sign, the previous signer stays. */
export function watchRoot(
  folder: string,
  from: KeptSigner,
  onSigner: (kept: KeptSigner) => void,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): void {
  let { version } = from;
  let logged = "";
  const look = async (): Promise<void> => {
    try {
      const kept = await readRoot(folder);
      if (kept === undefined) throw new Error(`${join(folder, rootFile)}: is gone`);
      logged = "";
      if (kept.version === version) return;
      version = kept.version;
      onSigner(kept);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== logged) log("error", "signer not taken over, the former one stays", { reason });
      logged = reason;
    }
  };
  const timer = setInterval(() => void look(), lookEveryMs).unref();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

/** Writes the steps of a rotation. */
export class RootFolderStore implements SignerStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async replace(over: KeptSigner, pems: SignerPems): Promise<boolean> {
    if ((await readRoot(this.#folder))?.version !== over.version) return false;
    const done = await this.#step(pems);
    await rm(this.#path(rotateRootFile), { force: true });
    return done;
  }

  async #step({ next, formerPem }: SignerPems): Promise<boolean> {
    if (next !== undefined) return await createDurably(this.#path(nextFile), textOf(next));
    if (formerPem === undefined) {
      await rm(this.#path(formerFile), { force: true });
      return true;
    }
    // The former root first: it is not read as long as there is a next one.
    await writeDurably(this.#path(formerFile), formerPem);
    try {
      await rename(this.#path(nextFile), this.#path(rootFile));
    } catch (error) {
      if (isErrorCode(error, "ENOENT")) return false;
      throw error;
    }
    return true;
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }
}

/** Undefined: there is no root yet. */
async function readRoot(folder: string): Promise<KeptSigner | undefined> {
  const path = join(folder, rootFile);
  const root = await readPrivate(path);
  if (root === undefined) return undefined;
  const next = await readPrivate(join(folder, nextFile));
  const former = next === undefined ? await readPrivate(join(folder, formerFile)) : undefined;
  const request = (await readPrivate(join(folder, rotateRootFile)))?.trim();
  // A rotation step was taken in between.
  if ((await readPrivate(path)) !== root) return await readRoot(folder);
  const signer = pemsOf(root, path);
  const pems: SignerPems = {
    ...signer,
    trustedPem: signer.certificatesPem + certificatesIn(next) + certificatesIn(former),
    ...(next !== undefined && { next: pemsOf(next, join(folder, nextFile)) }),
    ...(former !== undefined && { formerPem: former }),
  };
  const version = createHash("sha256")
    .update(JSON.stringify([root, next, former, request]))
    .digest("hex");
  return { ...readSigner(pems, path), version, ...(request !== undefined && { request }) };
}

async function readPrivate(path: string): Promise<string | undefined> {
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

function pemsOf(pem: string, path: string): Pick<IssuerPems, "keyPem" | "certificatesPem"> {
  const keyPem = keyBlock.exec(pem)?.[0];
  if (keyPem === undefined) throw new Error(`${path}: must hold one private key and one certificate`);
  return { keyPem, certificatesPem: certificatesIn(pem) };
}

function certificatesIn(pem = ""): string {
  return pem.replace(keyBlock, "");
}

function textOf({ keyPem, certificatesPem }: Pick<IssuerPems, "keyPem" | "certificatesPem">): string {
  return keyPem + certificatesPem;
}
