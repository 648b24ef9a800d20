/** Finds the owner of a token. In a cluster the API server knows it; standalone a folder does. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { err, ok, type Result } from "../../model/result.ts";
import { isErrorCode } from "../../system/durable-file.ts";

/** The pod that a token was given to. */
export interface TokenOwner {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  /** The addresses from which the pod is known to call, in any notation; empty: unknown. */
  readonly podIps: readonly string[];
}

/** Why a token is refused; a label of the refusal metric. */
export type TokenFault = "token_unknown" | "token_expired" | "token_audience" | "token_pod";

export interface TokenReviewer {
  /** Rejects if the token can't be reviewed now. */
  review(token: string): Promise<Result<TokenOwner, TokenFault>>;
}

/** Tokens for any other audience are refused here. */
export const tokenAudience = "tulle";
/** A longer token is refused. */
export const maxTokenCharacters = 16_384;

/**
 * Tokens as files: `<sha256 of the token, hex>.json` holds
 * `{namespace, serviceAccount, pod, podIP?, audience: "tulle", expiresAt?}` with `expiresAt` as an ISO 8601 date. Whoever runs
 * the pods writes these files, and removes them when the pod is gone. They don't contain the tokens themselves.
 */
export class FolderTokens implements TokenReviewer {
  readonly #folder: string;
  readonly #wallClock: () => number;

  constructor(folder: string, wallClock: () => number) {
    this.#folder = folder;
    this.#wallClock = wallClock;
  }

  async review(token: string): Promise<Result<TokenOwner, TokenFault>> {
    if (token === "" || token.length > maxTokenCharacters) return err("token_unknown");
    const name = createHash("sha256").update(token).digest("hex");
    let text: string;
    try {
      text = await readFile(join(this.#folder, `${name}.json`), "utf8");
    } catch (error) {
      if (isErrorCode(error, "ENOENT")) return err("token_unknown");
      throw error;
    }
    const kept: unknown = JSON.parse(text);
    if (!isKeptToken(kept)) throw new Error(`${name}.json: not a token's description`);
    if (kept.audience !== tokenAudience) return err("token_audience");
    // An invalid date is NaN, and so never in the future.
    if (kept.expiresAt !== undefined && !(Date.parse(kept.expiresAt) > this.#wallClock())) return err("token_expired");
    const { namespace, serviceAccount, pod, podIP } = kept;
    return ok({ namespace, serviceAccount, pod, podIps: podIP === undefined ? [] : [podIP] });
  }
}

interface KeptToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  readonly audience: string;
  readonly podIP?: string;
  readonly expiresAt?: string;
}

function isKeptToken(value: unknown): value is KeptToken {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const isText = (name: string): boolean => typeof fields.get(name) === "string";
  const isTextOrAbsent = (name: string): boolean => !fields.has(name) || isText(name);
  return (
    ["namespace", "serviceAccount", "pod", "audience"].every(isText) && ["podIP", "expiresAt"].every(isTextOrAbsent)
  );
}
