/** The control plane's own leaf, from its own authority, renewed while it runs. Its key never leaves the process. */

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { formatSpiffeId } from "../../model/spiffe.ts";
import type { CertificateAuthority } from "./authority.ts";
import type { ServerCertificate } from "./server-credentials.ts";

/** The share of its lifetime after which a leaf is renewed. */
const renewAt = 0.7;
const longestTimerMs = 60 * 60 * 1000;

/** Who sidecars expect to be answered by. */
export function controlPlaneIdentity(trustDomain: string): string {
  return formatSpiffeId({ trustDomain, namespace: "tulle-system", serviceAccount: "tulle-control-plane" });
}

export function issueOwnCertificate(
  authority: CertificateAuthority,
  trustDomain: string,
): ServerCertificate & { readonly notAfterMs: number } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeyDer = publicKey.export({ type: "spki", format: "der" });
  const { certificateDer, notAfterMs } = authority.certify(publicKeyDer, controlPlaneIdentity(trustDomain));
  return {
    certificateChainPem: new X509Certificate(certificateDer).toString(),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    trustBundlePem: authority.trustBundlePem,
    notAfterMs,
  };
}

/** Calls `rotate` with a new leaf whenever the former has lived for 70 % of its time, until `signal`. */
export function keepOwnCertificateFresh(
  authority: CertificateAuthority,
  trustDomain: string,
  wallClock: () => number,
  first: { readonly notAfterMs: number },
  signal: AbortSignal,
  rotate: (certificate: ServerCertificate) => void,
): void {
  let renewAtMs = wallClock() + (first.notAfterMs - wallClock()) * renewAt;
  let timer: NodeJS.Timeout;
  // In steps, since a machine that slept wakes up with its timers late.
  const wait = (): void => {
    timer = setTimeout(check, Math.min(Math.max(renewAtMs - wallClock(), 0), longestTimerMs)).unref();
  };
  const check = (): void => {
    if (wallClock() >= renewAtMs) {
      const next = issueOwnCertificate(authority, trustDomain);
      renewAtMs = wallClock() + (next.notAfterMs - wallClock()) * renewAt;
      rotate(next);
    }
    wait();
  };
  wait();
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
}
