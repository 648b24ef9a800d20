/**
 * The rotation of the mesh's root, as changes of its stored state: nothing here waits, asks or writes.
 *
 * ```
 *              asked for                all trust both             all certificates are of the new one
 *   settled ───────────────▶ spreading ────────────────▶ reissuing ────────────────────────────────────▶ settled
 *   one root signs            the old one signs           the new one signs                    the new one signs
 *   and is trusted            both are trusted            both are trusted                     and is trusted
 * ```
 *
 * There is no other arrow: no root signs before everyone trusts it, and none is dropped while something that it signed is in use.
 * The stored data is the whole state, so anyone who reads it can take the next step.
 */

import type { X509Certificate } from "node:crypto";
import { rootId } from "./certificate-fields.ts";
import { type Issuer, type IssuerPems, readCertificates, readIssuer } from "./issuer.ts";

/** What is stored, in a Secret or in a folder. */
export interface SignerPems extends IssuerPems {
  /** The root to come, with its key: trusted, and signs nothing yet. */
  readonly next?: Pick<IssuerPems, "keyPem" | "certificatesPem">;
  /** The certificate of the root that signed before, and is still trusted. */
  readonly formerPem?: string;
}

export type Rotation =
  | { readonly kind: "settled" }
  | { readonly kind: "spreading"; readonly next: X509Certificate }
  | { readonly kind: "reissuing"; readonly former: X509Certificate };

/** The stored signer, read and found consistent. */
export interface KeptSigner {
  readonly pems: SignerPems;
  readonly issuer: Issuer;
  readonly rotation: Rotation;
  /** Changes whenever the stored data does. */
  readonly version: string;
  /** The id of the root that should be replaced. */
  readonly request?: string;
}

/** Throws a readable error, beginning with `place`, if the parts don't fit together. */
export function readSigner(pems: SignerPems, origin: string): Pick<KeptSigner, "pems" | "issuer" | "rotation"> {
  const issuer = readIssuer(pems, origin);
  const rotation = readRotation(pems, issuer, origin);
  return { pems, issuer, rotation };
}

function readRotation(
  { next, formerPem }: SignerPems,
  { certificate: signing, trusted }: Issuer,
  origin: string,
): Rotation {
  const isTrusted = (one: X509Certificate) => trusted.some(({ raw }) => raw.equals(one.raw));
  if (next !== undefined && formerPem !== undefined)
    throw new Error(`${origin}: holds a root to come and a former one: only one of them can be`);
  if (next !== undefined) {
    const { certificate } = readIssuer(next, `${origin}, the root to come`);
    if (certificate.raw.equals(signing.raw)) throw new Error(`${origin}: the root to come signs already`);
    if (!isTrusted(certificate)) throw new Error(`${origin}: the root to come is not among the trusted`);
    return { kind: "spreading", next: certificate };
  }
  if (formerPem === undefined) return { kind: "settled" };
  const [former] = readCertificates(formerPem, origin);
  if (former === undefined || !isTrusted(former))
    throw new Error(`${origin}: the former root is not among the trusted`);
  if (former.raw.equals(signing.raw)) throw new Error(`${origin}: the former root still signs`);
  return { kind: "reissuing", former };
}

/** Why this signer's root can't be replaced by the mesh; undefined: it can. */
export function whyNotRotatable({ issuer, pems }: Pick<KeptSigner, "issuer" | "pems">): string | undefined {
  if (issuer.chainDer.length > 0) return "the mesh signs with an intermediate: who issued that replaces its root";
  if (issuer.signer.keyId === undefined) return "the root has no key identifier to tell its certificates by";
  return pems.next === undefined && pems.formerPem === undefined ? undefined : "it is being replaced already";
}

/** settled ─▶ spreading */
export function begin(pems: SignerPems, next: Pick<IssuerPems, "keyPem" | "certificatesPem">): SignerPems {
  const { keyPem, certificatesPem, trustedPem = certificatesPem } = pems;
  return { keyPem, certificatesPem, trustedPem: join(trustedPem, next.certificatesPem), next };
}

/** spreading ─▶ reissuing. Throws in any other state: it must not be called there. */
export function switchOver({ certificatesPem, trustedPem, next }: SignerPems): SignerPems {
  if (next === undefined || trustedPem === undefined) throw new Error("there is no root to come");
  return { ...next, trustedPem, formerPem: certificatesPem };
}

/** reissuing ─▶ settled. Throws in any other state: it must not be called there. */
export function finish({ keyPem, certificatesPem, trustedPem, formerPem }: SignerPems): SignerPems {
  if (formerPem === undefined || trustedPem === undefined) throw new Error("there is no former root");
  const dropped = new Set(readCertificates(formerPem, "the former root").map(rootId));
  const kept = readCertificates(trustedPem, "the trusted roots").filter((root) => !dropped.has(rootId(root)));
  return { keyPem, certificatesPem, trustedPem: kept.map(String).join("") };
}

function join(...pems: readonly string[]): string {
  return pems.map((pem) => (pem.endsWith("\n") ? pem : `${pem}\n`)).join("");
}
