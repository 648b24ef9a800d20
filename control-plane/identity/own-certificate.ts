/** The control plane's own leaf, from its own authority, renewed while it runs. Its key never leaves the process. */

import { generateKeyPairSync } from "node:crypto";
import { formatSpiffeId } from "../../model/spiffe.ts";
import { type CertificateAuthority, chainPem } from "./authority.ts";
import { renewInTime } from "./renewal.ts";
import type { ServerCertificate } from "./server-certificate.ts";

/** The identity that sidecars expect of the control plane. */
export function controlPlaneIdentity(trustDomain: string): string {
  return formatSpiffeId({ trustDomain, namespace: "tulle-system", serviceAccount: "tulle-control-plane" });
}

export function issueOwnCertificate(
  authority: CertificateAuthority,
  trustDomain: string,
): ServerCertificate & { readonly notAfterMs: number } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeyDer = publicKey.export({ type: "spki", format: "der" });
  const issued = authority.certify(publicKeyDer, controlPlaneIdentity(trustDomain));
  return {
    certificateChainPem: chainPem(issued),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    trustBundlePem: authority.trustBundlePem,
    notAfterMs: issued.notAfterMs,
  };
}

/** Calls `rotate` with a new leaf after 70 % of the previous one's lifetime, or when its issuer changes, until `signal`. */
export function keepOwnCertificateFresh(
  authority: CertificateAuthority,
  trustDomain: string,
  wallClock: () => number,
  first: { readonly notAfterMs: number },
  signal: AbortSignal,
  rotate: (certificate: ServerCertificate) => void,
): void {
  const issue = () => issueOwnCertificate(authority, trustDomain);
  renewInTime(issue, wallClock, first, signal, rotate);
  authority.onReplaced(() => rotate(issue()), signal);
}
