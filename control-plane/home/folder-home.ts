/** Standalone: objects from folders, and a state folder for the root, the trust bundle and the tokens. */

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { writeDurably } from "../../system/durable-file.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import { bundleOf } from "../identity/issuer.ts";
import { folderReviewLimits } from "../identity/review-queue.ts";
import { openRoot, RootFolderStore, watchRoot } from "../identity/root.ts";
import type { KeptSigner } from "../identity/rotation.ts";
import { FolderTokens } from "../identity/tokens.ts";
import { watchFolders } from "../source/folder.ts";
import type { Home } from "./home.ts";

const tokensFolder = "tokens";
const publicFile = 0o644;

/** Rejects with a one-line error if the state can't be opened. */
export async function openFolderHome(
  { folders, stateFolder }: { readonly folders: readonly string[]; readonly stateFolder: string },
  trustDomain: string,
  log: Log,
): Promise<Home> {
  const ca = join(stateFolder, "ca");
  const signer = await openRoot(ca, trustDomain, Date.now());
  const tokens = join(stateFolder, tokensFolder);
  await mkdir(tokens, { recursive: true, mode: 0o700 });
  const bundle = new BundleFile(join(stateFolder, "trust-bundle.pem"), log);
  await bundle.write(signer);
  return {
    signer,
    signerStore: new RootFolderStore(ca),
    place: { kind: "folder", path: resolve(ca) },
    tokens: new FolderTokens(tokens, Date.now),
    reviewLimits: folderReviewLimits,
    unwritten: () => (bundle.isWritten ? [] : [bundle.path]),
    watch: ({ onChange, onSigner, signal }) => {
      const take = (kept: KeptSigner): void => {
        void bundle.write(kept).catch((error: unknown) => bundle.warn(error));
        onSigner(kept);
      };
      watchRoot(ca, signer, take, { log, signal });
      return watchFolders({ folders, onChange, signal });
    },
    close() {},
  };
}

/** The trust bundle of the sidecars on this machine. */
class BundleFile {
  readonly path: string;
  readonly #log: Log;
  #wanted = "";
  #written = "";

  constructor(path: string, log: Log) {
    this.path = path;
    this.#log = log;
  }

  get isWritten(): boolean {
    return this.#written === this.#wanted;
  }

  async write({ issuer }: KeptSigner): Promise<void> {
    const wanted = bundleOf(issuer);
    this.#wanted = wanted;
    if (wanted === this.#written) return;
    await writeDurably(this.path, wanted, publicFile);
    this.#written = wanted;
  }

  warn(error: unknown): void {
    this.#log("error", "trust bundle not written", { path: this.path, reason: reasonOf(error) });
  }
}
