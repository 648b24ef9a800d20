/**
 * Files that are either complete or absent, even after a power cut: written beside, synced, and moved into place. Only the
 * owner can read them, unless another mode is given.
 */

import { randomUUID } from "node:crypto";
import { link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

const ownerOnly = 0o600;

/** Replaces the file, or creates it. Rejects with the file system's error; then the previous file is untouched. */
export async function writeDurably(path: string, contents: string | Uint8Array, mode = ownerOnly): Promise<void> {
  const beside = await writeBeside(path, contents, mode);
  try {
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(path);
}

/** Creates the file unless it exists; returns whether it did. If several try at once, one succeeds. */
export async function createDurably(path: string, contents: string | Uint8Array, mode = ownerOnly): Promise<boolean> {
  const beside = await writeBeside(path, contents, mode);
  try {
    await link(beside, path);
  } catch (error) {
    if (isErrorCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await rm(beside, { force: true });
  }
  await syncFolder(path);
  return true;
}

/** Whether this is the error of a system call with this code, such as `ENOENT`. */
export function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

async function writeBeside(path: string, contents: string | Uint8Array, mode: number): Promise<string> {
  const beside = `${path}.${randomUUID()}.tmp`;
  const file = await open(beside, "wx", mode);
  try {
    await file.writeFile(contents);
    await file.sync();
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return beside;
}

/** Makes the new name as durable as the file it names. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
