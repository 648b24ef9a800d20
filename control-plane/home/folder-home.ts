/** Standalone: objects from folders, and a state folder for the root, the trust bundle and the tokens. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "../../system/durable-file.ts";
import { openRoot } from "../identity/root.ts";
import { FolderTokens } from "../identity/tokens.ts";
import { watchFolders } from "../source/folder.ts";
import type { Home } from "./home.ts";

const tokensFolder = "tokens";
const publicFile = 0o644;

/** Rejects in one plain line where the state can't be had. */
export async function openFolderHome(
  { folders, stateFolder }: { readonly folders: readonly string[]; readonly stateFolder: string },
  trustDomain: string,
): Promise<Home> {
  const issuer = await openRoot(join(stateFolder, "ca"), trustDomain, Date.now());
  const tokens = join(stateFolder, tokensFolder);
  await mkdir(tokens, { recursive: true, mode: 0o700 });
  await writeDurably(join(stateFolder, "trust-bundle.pem"), issuer.certificate.toString(), publicFile);
  return {
    issuer,
    tokens: new FolderTokens(tokens, Date.now),
    watch: ({ onChange, signal }) => watchFolders({ folders, onChange, signal }),
    close() {},
  };
}
