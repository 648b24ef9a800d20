/**
 * SPIFFE ids of workloads: `spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>`
 * (https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md).
 *
 * Exact bytes or nothing: no case folding, no percent-decoding, no trailing slash. Two ids are equal when their texts are.
 */

import { err, ok, type Result } from "./result.ts";

export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const trustDomain = "[a-z0-9._-]{1,255}";
const dnsLabel = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
/** Kubernetes names a service account like a DNS subdomain. */
const dnsSubdomain = `(?=.{1,253}$)${dnsLabel}(?:\\.${dnsLabel})*`;

const workloadId = new RegExp(`^spiffe://(${trustDomain})/ns/(${dnsLabel})/sa/(${dnsSubdomain})$`);
const wholeTrustDomain = new RegExp(`^${trustDomain}$`);

export function parseSpiffeId(text: string): Result<SpiffeId, string> {
  const match = workloadId.exec(text);
  if (match === null) {
    return err(
      `must be spiffe://<trust domain>/ns/<namespace>/sa/<service account> in lower case, got ${JSON.stringify(text)}`,
    );
  }
  const [, trustDomain = "", namespace = "", serviceAccount = ""] = match;
  return ok({ trustDomain, namespace, serviceAccount });
}

export function formatSpiffeId(id: SpiffeId): string {
  return `spiffe://${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}`;
}

/** Whether a trust domain may be named so. */
export function isTrustDomain(text: string): boolean {
  return wholeTrustDomain.test(text);
}
