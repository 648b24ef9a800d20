/** An identity from files, for a sidecar without a control plane: `tulle sidecar --cert --key --ca`. It never changes. */

import { readFile } from "node:fs/promises";
import { type Identity, readCredentials } from "./credentials.ts";

/** Rejects with one plain line if a file can't be read or the parts don't belong together. */
export async function loadStaticIdentity(files: {
  readonly certificate: string;
  readonly privateKey: string;
  readonly trustBundle: string;
}): Promise<Identity> {
  const [certificateChainPem, privateKeyPem, trustBundlePem] = await Promise.all([
    readFile(files.certificate, "utf8"),
    readFile(files.privateKey, "utf8"),
    readFile(files.trustBundle, "utf8"),
  ]);
  const read = readCredentials({ certificateChainPem, privateKeyPem, trustBundlePem });
  if (!read.ok) throw new Error(`${files.certificate}: ${read.error}`);
  const { credentials, spiffeId } = read.value;
  return { spiffeId, current: () => credentials, onChange: () => () => {} };
}
