/**
 * The certificate that the webhooks' server presents to the API server: a leaf of the mesh's own authority, under the names of
 * its Service.
 */

import { generateKeyPairSync } from "node:crypto";
import { type CertificateAuthority, chainPem } from "../identity/authority.ts";
import type { ServingCertificate } from "./server.ts";

/** The names by which the API server calls a webhook of this Service. */
export function webhookNames(service: string, namespace: string): readonly string[] {
  return [`${service}.${namespace}.svc`, `${service}.${namespace}`];
}

/** The key never leaves the process. */
export function issueServingCertificate(
  authority: CertificateAuthority,
  dnsNames: readonly string[],
): ServingCertificate & { readonly notAfterMs: number } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeyDer = publicKey.export({ type: "spki", format: "der" });
  const issued = authority.certifyServer(publicKeyDer, dnsNames);
  return {
    certificateChainPem: chainPem(issued),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    notAfterMs: issued.notAfterMs,
  };
}
