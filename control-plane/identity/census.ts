/**
 * Who meets the requirements of the mesh's signer: trusts its roots, and has a certificate signed by its key. Replicas and
 * sidecars count alike; the consequences are `root-rotation.ts`' business. Pure.
 */

import { rootId } from "./certificate-fields.ts";
import type { Issuer } from "./issuer.ts";

/** One stream of a sidecar. */
export interface SidecarCertificate {
  readonly namespace: string;
  readonly workload: string;
  readonly pod: string;
  /** The identity in its client certificate; so are the two below. */
  readonly identity: string;
  /** Milliseconds since 1970. */
  readonly notAfterMs: number;
  /** The id of the key that signed the certificate, in hexadecimal; empty: the certificate does not say. */
  readonly signerKeyId: string;
  /** The ids of the roots it trusts, by its own account; empty: it gives none. */
  readonly trustedRoots: readonly string[];
}

/** A replica of the control plane, with the sidecars that are connected to it. */
export interface ReplicaCertificates {
  readonly replica: string;
  readonly trustedRoots: readonly string[];
  readonly signerKeyId: string;
  /** Namespaces and webhooks that, as far as it knows, do not have its roots yet. */
  readonly unwritten: readonly string[];
  readonly sidecars: readonly SidecarCertificate[];
}

export interface Census {
  readonly replicas: readonly ReplicaCertificates[];
  /** Replicas that exist but have not reported their certificates, by address; or why the list of replicas is unknown. */
  readonly unheard: readonly string[];
}

export interface Lack {
  /** `replica …`, `shop/orders-1`, `namespace shop`. */
  readonly who: string;
  readonly why: string;
}

/** Everything that is missing until all have what the signer requires; replicas first. */
export function lacksOf(issuer: Issuer, { replicas, unheard }: Census): Lack[] {
  const lacks: Lack[] = unheard.map((who) => ({ who: `replica ${who}`, why: "has not said what it has" }));
  for (const { replica, unwritten, ...held } of replicas) {
    const why = lackOf(issuer, held);
    if (why !== undefined) lacks.push({ who: `replica ${replica}`, why });
    for (const who of unwritten) lacks.push({ who, why: `has not got the roots of replica ${replica} yet` });
  }
  for (const sidecar of replicas.flatMap(({ sidecars }) => sidecars)) {
    const why = lackOf(issuer, sidecar);
    if (why !== undefined) lacks.push({ who: `${sidecar.namespace}/${sidecar.pod}`, why });
  }
  return lacks;
}

/** A readable reason; undefined: nothing is missing. */
export function lackOf(
  { trusted, signer: { keyId } }: Issuer,
  { trustedRoots, signerKeyId }: Pick<SidecarCertificate, "trustedRoots" | "signerKeyId">,
): string | undefined {
  if (trustedRoots.length === 0) return "does not say which roots it trusts";
  const missing = trusted.map(rootId).find((id) => !trustedRoots.includes(id));
  if (missing !== undefined) return `does not trust root ${shortId(missing)} yet`;
  if (keyId !== undefined && signerKeyId !== keyId.toString("hex"))
    return "goes by another key than the one that signs now";
  return undefined;
}

/** Enough of a root's id to tell it from others. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}
